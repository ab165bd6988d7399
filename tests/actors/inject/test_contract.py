"""What holds for every backend, against real files and real windows."""

from __future__ import annotations

from typing import Any

import pytest

from sottovoce.actors.inject import Chain, Outcome

TEXTS = {
    "a sentence": "Hello, world. It's 5 o'clock - isn't it?",
    "punctuation": "`~!@#$%^&*()-_=+[{]}\\|;:'\",<.>/?",
    "spaces at both ends": "  two before and one after ",
    "what looks like an option": "--delay 9 -x -- -",
    "lines and tabs": "one\n\ttwo\n\nfour\n",
    "a newline alone": "\n",
    "shell and format syntax": "$(id) `id` %s %n {0} ; rm -rf / & \\n \\x41 $HOME !!",
    "accents": "é ü ß naïve café Straße ñandú É Ü Œ « » “quoted” – — … €",
    "Cyrillic": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "CJK": "你好，世界。今天天气很好。こんにちは。안녕하세요.",
    "emoji": "ok 😀 👍🏽 👩‍💻 🇩🇪 done",
    "combining marks": "e\u0301 and n\u0303",
    "no-break spaces": "10\u00a0km, 5\u202f%",
    "long": "The quick brown fox jumps over the lazy dog. " * 10,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_arrives_exactly(target: Any, text: str) -> None:
    """What is typed is what arrives, to the last character and no more."""
    delivery = target.backend.type(text)
    assert (delivery.outcome, delivery.detail) == (Outcome.TYPED, "")
    assert delivery.backend == target.backend.name
    assert target.arrives(text) == text


def test_texts_follow_each_other(target: Any) -> None:
    """One text after the other arrives in that order, with nothing between."""
    texts = ["One", " two,", " drei für", " четыре", " 五."]
    assert [target.backend.type(text).outcome for text in texts] == [Outcome.TYPED] * len(texts)
    assert target.arrives("".join(texts)) == "".join(texts)


def test_a_full_stop_is_taken_back(target: Any) -> None:
    """Where the backend can, one character goes and what stands in its place comes; else the text as it is."""
    mends = target.backend.name != "stdout"
    target.backend.type("An élan.")
    delivery = target.backend.type(" Vital.", mended=", vital.")
    assert (delivery.outcome, delivery.mended) == (Outcome.TYPED, mends)
    expected = "An élan, vital." if mends else "An élan. Vital."
    assert target.arrives(expected) == expected
    assert not target.backend.type(" Yes.").mended


def test_control_characters_do_not_arrive(target: Any) -> None:
    """No escape sequence reaches the target, the words around it do."""
    assert target.backend.type("a\x1b[31mb\x03c\x04\x9b2Jd\r\ne").outcome is Outcome.TYPED
    assert target.arrives("a[31mbc2Jd\ne") == "a[31mbc2Jd\ne"


def test_no_text_is_delivered_at_once(target: Any) -> None:
    """An empty text, or one of control characters only, is typed and nothing arrives."""
    for text in ("", "\x1b\x07"):
        assert target.backend.type(text).outcome is Outcome.TYPED
    target.backend.type(".")
    assert target.arrives(".") == "."


def test_a_usable_backend_has_nothing_to_say(target: Any) -> None:
    """A backend that can type now is available, and its chain is described by its name alone."""
    assert target.backend.available() is None
    assert Chain([target.backend]).describe() == target.backend.name


def test_closing_again_does_nothing(target: Any) -> None:
    """A backend may be closed twice."""
    target.backend.type("é")
    target.backend.close()
    target.backend.close()
