"""The mode spelling: letters, figures and marks by their names, as engines write them."""

from __future__ import annotations

import pytest

from sottovoce.actors.transform import Context, Transformer

ENGLISH = Transformer.load("en")


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Capital alpha, bravo, three, dash, X-ray.", "Ab3-x"),
        ("A, B, C.", "abc"),
        ("A-B-C", "abc"),
        ("Juliette Oscar", "jo"),
        ("ef el em en oh", "flmno"),
        ("jay oh at sign eff dot see oh em", "jo@f.com"),
        ("eye aitch pea ar ess wye", "ihprsy"),
        ("won too for ate niner", "12489"),
        ("A, comma, B.", "a,b"),
        ("be, are. Colon.", "br:"),
        ("Backslash, November.", "\\n"),
        ("open paren alpha plus sign bravo close paren", "(a+b)"),
        ("A, B. New line. C.", "ab\nc"),
        ("A B new paragraph C", "ab\n\nc"),
        ("B as in boy, N for November.", "bn"),
        ("Alpha-Bravo-Charlie.", "abc"),
        ("capital M, as in Mike, alpha like apple", "Ma"),
        ("b as in toy four for four", "b444"),
        ("n for six", "n46"),
        ("as in x", "asinx"),
        ("x as in", "xasin"),
    ],
)
def test_what_is_spelled(said: str, written: str) -> None:
    """Each name is its letter, figure, mark or line, whatever marks and capitals the engine put around it."""
    assert ENGLISH.apply(said, Context(mode="spelling"))[0] == written


@pytest.mark.parametrize("mode", ["dictation", "code", "verbatim", "spelling", "command"])
def test_switched_as_it_is_heard(mode: str) -> None:
    """Recognisers hear "switched to code mode" where "switch to" is said; by itself it is the command."""
    text, context, _ = ENGLISH.explain(f"Switched to {mode} mode.", Context(mode="verbatim"))
    assert (text, context.mode) == ("", mode)
    text, context, _ = ENGLISH.explain(f"We switched to {mode} mode.", Context())
    assert (text, context.mode) == (f"We switched to {mode} mode.", "dictation")
