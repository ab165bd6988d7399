"""docs/commands.md: it has all that may be said, and its examples are what the transform writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.asking import CONTEXT, TRIGGERS
from sottovoce.actors.transform.context import Mode
from sottovoce.ops.commands_page import as_markdown

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
ENGLISH = Transformer.load("en")
SECTIONS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def examples(section: str, head: str) -> list[list[str]]:
    """Return the rows of the table with this head."""
    table = SECTIONS[section].split(f"{head}\n", 1)[1].split("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[1:]]


@pytest.mark.parametrize(
    ("section", "mode"),
    [("What counts as said", "dictation"), ("As words", "dictation"), ("Capitals", "dictation"), ("In code", "code"),
     ("Spelling", "spelling")],
)  # fmt: skip
def test_the_examples_are_what_is_written(section: str, mode: Mode) -> None:
    """Each row of a table of examples, said on an empty page in that mode."""
    rows = examples(section, "| for example | writes |")
    assert len(rows) > 2
    for said, shown in rows:
        assert ENGLISH.apply(said, Context(mode=mode), numbers="explicit")[0] == shown


def test_the_numbers_are_what_is_written() -> None:
    """In both modes, of which many rows show a difference; all triggers and context words are named."""
    rows = examples("Numbers", "| said | explicit | natural |")
    for said, explicit, natural in rows:
        assert ENGLISH.apply(said, Context(), numbers="explicit")[0] == explicit
        assert ENGLISH.apply(said, Context(), numbers="natural")[0] == (explicit if natural == "the same" else natural)
    assert 4 < sum(natural == "the same" for *_, natural in rows) < len(rows) - 4
    assert all(f"`{word}`" in SECTIONS["Numbers"] for word in TRIGGERS | CONTEXT)


def test_all_that_may_be_said_is_there() -> None:
    """Marks, toggles, casing, edits, keys, modes, escapes, letters: each phrase of the rules."""
    rules = ENGLISH.rules
    tables = (*rules.rule, *rules.toggle, *rules.case, *rules.mode, *rules.edit)
    phrases = {phrase for table in tables for phrase in table.spoken} | {*rules.escape, *rules.spelling}
    counted = re.compile("f (?!one|twelve)[a-z]+")  # "`f one` to `f twelve`"
    phrases |= {phrase for phrase in (*rules.keys, *rules.modifiers) if not counted.fullmatch(phrase)}
    assert [phrase for phrase in sorted(phrases) if f"`{phrase}`" not in PAGE] == []


@pytest.mark.parametrize("language", ["de", "es", "fr", "it", "pt", "ru"])
def test_other_languages_have_a_page(language: str) -> None:
    """With the same tables, and nothing that is true of English alone."""
    rules = Transformer.load(language)
    page = as_markdown(rules, english=False)
    assert all(f"`{phrase}`" in page for rule in rules.rules.rule for phrase in rule.spoken)
    assert "for example" not in page
    assert "Four examples" not in page
