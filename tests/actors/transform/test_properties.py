"""What holds of the transform for any words, in all languages and modes: hypothesis looks for the exception.

The words are those of the rules themselves, in any order and with any marks, since commands among commands are where a
transform breaks.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.transform import Case, Context, Transformer
from sottovoce.actors.transform.asking import CONTEXT, TRIGGERS
from sottovoce.actors.transform.context import Caps, Mode, Style
from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.numbers import Mode as Numbers
from sottovoce.actors.transform.rulebook import Rules, read, shipped
from sottovoce.actors.transform.vocabulary import NUMBERS

LANGUAGES = ("en", "de", "es", "fr", "it", "pt", "ru")
numbers_modes = st.sampled_from(get_args(Numbers))
marks = st.sampled_from(["", "", "", "", "", ",", ".", "?", "!", ":", ";", "...", "—", ")", '"', "”", "»", "“"])
leads = st.sampled_from(["", "", "", "", "", "", "(", '"', "“", "„", "«", "¿"])
ODD = (
    "1455",
    "3.5",
    "5",
    "naïve",
    "McX",
    "it's",
    "U.S.",
    "e.g.",
    "x",
    "«",
    "»",
    "-",
    "?",
    "¿",
    "...",
    "é",
    "ß",
    "İ",
    "👍",
)


@cache
def rules_of(language: str) -> Rules:
    """Return the shipped rules of a language."""
    return read(shipped(language))


@cache
def transformer(language: str) -> Transformer:
    """Return the transform of a language."""
    return Transformer.load(language)


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """Return each language in its turn, with its rules read, which takes longer than an example may."""
    transformer(request.param)
    phrases(request.param)
    command_words(request.param)
    return str(request.param)


@cache
def phrases(language: str) -> list[str]:
    """Return every phrase and word that a language's rules know, and for English the number words."""
    rules = rules_of(language)
    tables = (*rules.rule, *rules.toggle, *rules.case, *rules.mode, *rules.edit)
    found = {phrase for table in tables for phrase in table.spoken}
    found |= {*rules.escape, *rules.plain, *rules.determiners, *rules.capitals, *rules.abbreviations}
    found |= {*rules.function_words, *rules.spelling, *rules.numerals, *ODD}
    return sorted(found | NUMBERS | TRIGGERS | CONTEXT) if language == "en" else sorted(found)


def spoken(language: str) -> st.SearchStrategy[str]:
    """Return utterances of a language's own phrases, with an engine's marks and capitals anywhere, or any string."""
    phrase = st.sampled_from(phrases(language))
    word = st.builds(
        lambda lead, text, mark: lead + text + mark, leads, st.one_of(phrase, phrase.map(str.title)), marks
    )
    return st.one_of(st.lists(word, max_size=12).map(" ".join), st.text(max_size=40))


contexts = st.builds(
    Context, glue=st.booleans(), case=st.sampled_from(get_args(Case)), mark=st.sampled_from(["", ".", ",", "?", "…"]),
    spoken=st.booleans(), open=st.lists(st.sampled_from(["quote", "single quote"]), unique=True).map(tuple),
    line=st.booleans(), caps=st.sampled_from(get_args(Caps)), pending=st.sampled_from(get_args(Style)),
    mode=st.sampled_from(get_args(Mode)),
)  # fmt: skip


@given(st.data())
def test_nothing_that_is_said_raises(language: str, data: st.DataObject) -> None:
    """In any state and mode an utterance gives a text that can be typed, the same again, and a state that is JSON."""
    text, context, numbers = data.draw(spoken(language)), data.draw(contexts), data.draw(numbers_modes)
    page, after = transformer(language).apply(text, context, numbers=numbers)
    page.encode()
    assert not any(unicodedata.category(letter) == "Cc" for letter in page if letter not in "\n\t")
    assert not page.endswith(" ") or context.mode in {"spelling", "code"}  # where a space can be said
    assert len(after.mark) <= 1
    assert msgspec.json.decode(msgspec.json.encode(after), type=Context) == after
    assert transformer(language).explain(text, context, numbers=numbers)[:2] == (page, after)


@given(st.data())
def test_a_session_goes_on_after_a_restart(language: str, data: st.DataObject) -> None:
    """Whatever was said, a state that was written to disk and read back leads to the same text as one that was not."""
    numbers = data.draw(numbers_modes)
    context = data.draw(contexts)
    other = context
    for text in data.draw(st.lists(spoken(language), min_size=2, max_size=4)):
        page, context = transformer(language).apply(text, context, numbers=numbers)
        other = msgspec.json.decode(msgspec.json.encode(other), type=Context)
        assert transformer(language).apply(text, other, numbers=numbers) == (page, context)
        other = context


@given(st.data())
def test_verbatim_changes_spaces_and_capitals_alone(language: str, data: st.DataObject) -> None:
    """In `verbatim` no word and no mark is lost, and what was typed is typed the same when it is heard again."""
    context = Context(mode="verbatim")
    text = data.draw(spoken(language))
    page, _, steps = transformer(language).explain(text, context)
    if any(step.did == "mode" for step in steps):  # the way out, or the one that leads here
        return
    assert transformer(language).apply(page, context)[0] == page
    assert folded(page) == folded(text)


@cache
def command_words(language: str) -> frozenset[str]:
    """Return the words that a phrase may begin with; a text without one of them holds no command."""
    rules = rules_of(language)
    tables = (*rules.rule, *rules.toggle, *rules.case, *rules.mode, *rules.edit)
    spoken_phrases = [*rules.escape, *rules.plain, *(phrase for table in tables for phrase in table.spoken)]
    words = {phrase.replace("-", " ").split()[0].rstrip(MARKS) for phrase in spoken_phrases}
    return frozenset(words | NUMBERS | TRIGGERS | {"half", "quarter", "minus", "negative", "a", "an"})


def folded(text: str) -> str:
    """Return a text without what may change where nothing is commanded: spaces, capitals, what cannot be typed."""
    kept = (letter for letter in text if unicodedata.category(letter) not in {"Cc", "Cs"} and not letter.isspace())
    return "".join(kept).casefold()


@given(st.data())
def test_plain_text_changes_in_spaces_and_capitals_alone(language: str, data: st.DataObject) -> None:
    """Where no word may begin a command or a number not a letter and not a mark is lost, added or moved."""
    rules, held = rules_of(language), command_words(language)
    own = st.sampled_from(sorted({*rules.function_words, *rules.capitals, *rules.abbreviations, *ODD} - held))
    letters = st.text(st.characters(codec="utf-8", categories=("L", "M")), min_size=1, max_size=6)
    word = st.one_of(own, letters).filter(
        lambda text: text.lower().strip(MARKS + "\"'“”„«»()¿").split("-")[0] not in held
    )
    chunks = data.draw(st.lists(st.builds(lambda a, b, c: a + b + c, leads, word, marks), max_size=10))
    text = " ".join(chunks)
    page = transformer(language).apply(text, Context(), numbers=data.draw(numbers_modes))[0]
    assert folded(page) == folded(text)


@given(st.data())
def test_an_engine_that_punctuates_comes_out_as_one_that_does_not(language: str, data: st.DataObject) -> None:
    """Marks said between words give one text, whether the engine wrote its pauses and its capitals or not."""
    rules = [rule for rule in rules_of(language).rule if rule.only == "anywhere" and rule.write in set(",.?!:;")]
    marks_said = st.sampled_from([phrase for rule in rules if "dictation" in rule.mode for phrase in rule.spoken])
    said = data.draw(
        st.lists(st.tuples(st.sampled_from(["xax", "yay", "zaz wow"]), marks_said), min_size=1, max_size=5)
    )
    bare = " ".join(f"{words} {mark}" for words, mark in said)
    commas = " ".join(f"{words}, {mark}," for words, mark in said)
    stops = " ".join(f"{words}. {mark.capitalize()}." for words, mark in said)
    page = transformer(language).apply(bare, Context())[0]
    assert {transformer(language).apply(text, Context())[0] for text in (commas, stops)} == {page}
