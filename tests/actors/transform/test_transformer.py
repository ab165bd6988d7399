"""What is typed for what an engine heard."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sottovoce.actors.transform import Case, Context, Transformer
from sottovoce.actors.transform.context import Caps, Mode, Style

ENGLISH = Transformer.load()
RESTARTED = Transformer.load()
SPEECH = Path(__file__).parents[4] / "shared" / "speech"


def typed(*utterances: str) -> str:
    """Return what stands in the window after the utterances."""
    context, page = Context(), ""
    for utterance in utterances:
        text, context = ENGLISH.apply(utterance, context)
        page += text
    return page


def table(*rows: tuple[str | tuple[str, ...], str]) -> pytest.MarkDecorator:
    """Parametrise over what is heard (one utterance or more) and what is typed."""
    return pytest.mark.parametrize(
        ("heard", "page"), [((heard,) if isinstance(heard, str) else heard, page) for heard, page in rows]
    )


@table(
    ("hello comma world period", "Hello, world."),
    ("hello world full stop", "Hello world."),
    ("really question mark", "Really?"),
    ("stop exclamation mark", "Stop!"),
    ("stop exclamation point", "Stop!"),
    ("note colon this", "Note: this"),
    ("first semicolon second", "First; second"),
    ("first semi colon second", "First; second"),
    ("wait ellipsis what", "Wait... what"),
    ("wait dot dot dot what", "Wait... what"),
    ("this dash i think dash is it", "This - I think - is it"),
    ("this em dash i think", "This—I think"),
    ("pages one en dash four", "Pages one–four"),
    ("a well hyphen known man", "A well-known man"),
    ("snake underscore case", "Snake_case"),
    ("the boys apostrophe", "The boys'"),
    ("john apostrophe s dog", "John's dog"),
    ("o apostrophe clock", "O'clock"),
    ("usr forward slash bin", "Usr/bin"),
    ("temp backslash file", r"Temp\file"),
    ("cats and slash or dogs", "Cats and/or dogs"),
    ("ada at sign example.com", "ada@example.com"),
    ("text open paren note close paren end", "Text (note) end"),
    ("text open parenthesis note close parenthesis", "Text (note)"),
    ("array open bracket zero close bracket", "Array [zero]"),
    ("set open brace one close brace", "Set {one}"),
    ("vector open angle bracket int close angle bracket", "Vector <int>"),
    ("fifty percent sign", "Fifty%"),
    ("20 degree sign outside", "20° outside"),
    ("it cost dollar sign 50", "It cost $50"),
    ("hashtag dictation", "#dictation"),
    ("salt ampersand pepper", "Salt & pepper"),
    ("x equals sign y plus sign z", "X = y + z"),
    ("apples new line oranges", "Apples\nOranges"),
    ("dear ada comma new paragraph i am well period", "Dear ada,\n\nI am well."),
    ("new line dash milk new line dash eggs", "\n- Milk\n- Eggs"),
)
def test_spoken_marks_are_written(heard: tuple[str, ...], page: str) -> None:
    """Each command of the English set writes its mark, and takes or leaves the spaces that the mark takes or leaves."""
    assert typed(*heard) == page


@table(
    ("Hello, comma, world, period.", "Hello, world."),
    ("Hello, comma, world.", "Hello, world."),
    ("Hello comma, world period.", "Hello, world."),
    ("Hello. Comma. How are you? Question mark.", "Hello, how are you?"),
    ("Hello world. Period.", "Hello world."),
    ("Hello, Full stop.", "Hello."),
    ("Hello — comma — world", "Hello, world"),
    ("Hello ... comma world", "Hello, world"),
    ("Really, question-mark. Yes, semi-colon.", "Really? Yes;"),
    ("Wait, dot, dot, dot.", "Wait..."),
    ("How are you question, Mark?", "How are you?"),
    ("She said, quote, it is late, quote.", 'She said "It is late".'),
    ("Is this right question mark? Yes, exclamation point.", "Is this right? Yes!"),
    ("Hello, Dot, New Line. How are you? New Line, Best regards.", "Hello.\nHow are you?\nBest regards."),
    ("Apples, new line, oranges, new line, pears.", "Apples\nOranges\nPears."),
    ("Buy milk. New line. Buy eggs. New paragraph.", "Buy milk.\nBuy eggs.\n\n"),
    ("To buy: new line milk.", "To buy:\nMilk."),
    ("New paragraph.", "\n\n"),
    ("The name, open paren, not mine, close paren, is known.", "The name (not mine) is known."),
    ("He left. Open paren. So did I. Close paren.", "He left. (So did I.)"),
    ("Well, hyphen, known.", "Well-known."),
    ("This is, dash, I think. Dash. It.", "This is - I think - It."),
    ("He said, quote, hello, quote.", 'He said "Hello".'),
    ("In the U.S. comma and e.g. comma here", "In the U.S., and e.g., here"),
    ("I met him in the U.S. Period.", "I met him in the U.S."),
    ("... period hello", ". Hello"),
)
def test_the_engines_punctuation_around_a_command_goes(heard: tuple[str, ...], page: str) -> None:
    """An engine that punctuates comes out as one that does not; a sentence that ended before a break stays ended."""
    assert typed(*heard) == page


@table(
    (("Hello world.", "How are you?"), "Hello world. How are you?"),
    (("hello", "comma world", "period"), "Hello, world."),
    (("hello new line", "world"), "Hello\nWorld"),
    (("hello", "new paragraph", "world"), "Hello\n\nWorld"),
    (("open paren", "so it is", "close paren"), "(So it is)"),
    (("well hyphen", "known"), "Well-known"),
    (("she said quote it is", "over now quote", "and left"), 'She said "It is over now" and left'),
    (("Hello.", "Period.", "Yes"), "Hello. Yes"),
    (("Hello.", "", "  ", "Yes"), "Hello. Yes"),
    (("hello period period",), "Hello.."),
    (("Hello", ", and then"), "Hello, and then"),
    (("  hello   there ",), "Hello there"),
    (("hello , world . yes",), "Hello, world. Yes"),
)
def test_spaces_stand_where_they_belong(heard: tuple[str, ...], page: str) -> None:
    """Utterances typed one after another read as one text: no space first, last or after a break, else one."""
    assert typed(*heard) == page


@table(
    (("the meeting is", "At noon."), "The meeting is at noon."),
    (("Hello,", "How are you?"), "Hello, how are you?"),
    (("I think", "It's fine", "Don’t worry"), "I think it's fine don’t worry"),
    (("we went to", "Paris", "I think"), "We went to Paris I think"),
    (("we asked", "IT", "US", "Will"), "We asked IT US Will"),
    (("He met Mr.", "Quilter"), "He met Mr. Quilter"),
    (("Well...", "Then we left"), "Well... Then we left"),
    (("At 5 p.m.", "We left"), "At 5 p.m. We left"),
    (('He said "No."', "He left"), 'He said "No." He left'),
    (("i think i'm right and i’ll say so",), "I think I'm right and I’ll say so"),
    (("he said “i know” (i think)",), "He said “I know” (I think)"),
    (("on monday in october we march",), "On Monday in October we march"),
    (("iPhone sales rose",), "iPhone sales rose"),
    (("example.com is down",), "example.com is down"),
    (("e.g. this",), "e.g. this"),
    (("(hello) there",), "(Hello) there"),
    (("3rd of May",), "3rd of May"),
    (("hello question mark open quote yes close quote",), 'Hello? "Yes"'),
    (("open quote really question mark close quote he asked",), '"Really?" he asked'),
    (("open quote it is period close quote he left",), '"It is." He left'),
)
def test_capitals_stand_where_they_belong(heard: tuple[str, ...], page: str) -> None:
    """Sentences begin with one; a segment that goes on with a sentence loses its own, unless the word may need it."""
    assert typed(*heard) == page


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Quilter is the apostle of the middle classes, and we are glad to welcome his gospel.",
        "It was 3.5 in 1455, i.e. less than $1,000.00 in the U.S. or so.",
        "The Victorian period was long, and so is any period of time.",
        "Put a comma here and the colon there; every question mark helps.",
        "A trailing comma, my full stop, an exclamation mark and your semicolon",
        "Colon cancer and the grace period",
        "A new line of products, with the new line manager",
        "A dash of salt in a mad dash",
        "I quote him, and he gave me a quote.",
        "They slash prices and connect the dot to the line",
        "It is a literal translation, taken literally.",
        "Is it new? Line up! The question, mark my words, is open.",
        'He said "period" and "comma".',
        '"Really?" he asked. "Yes," she said.',
        "Wait... what—no – yes - maybe",
        "See https://example.com/a?b=c#d, or write to ada@example.com.",
        "Naïve café, Ελληνικά, 你好，世界。",
        "Plan A, and the rest",
    ],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    """Text in which nothing is meant as a command comes out unchanged."""
    assert typed(text) == text


@table(
    ("type literal comma here", "Type comma here"),
    ("literal period", "Period"),
    ("Literal, new line.", "New line."),
    ("say literal open quote comma yes", "Say open quote, yes"),
    ("the words literal literal comma", "The words literal comma"),
)
def test_an_escaped_command_is_written_out(heard: tuple[str, ...], page: str) -> None:
    """`literal` makes the command after it plain words, and is itself not written."""
    assert typed(*heard) == page


@table(
    ("slash", "/"),
    ("either, slash, or", "Either/or"),
    ("he said dot", "He said dot"),
    ("he said, dot", "He said."),
    ("he said dot new line", "He said dot\n"),
    ("new line slash new line", "\n/\n"),
)
def test_a_rule_for_words_alone_needs_a_pause_on_both_sides(heard: tuple[str, ...], page: str) -> None:
    """A word that is too common to be a command is one only where it stands apart."""
    assert typed(*heard) == page


def test_a_text_of_nothing_leaves_the_context_alone() -> None:
    """Nothing heard is nothing typed, and the next utterance goes on as if it had not been."""
    context = Context(glue=False, case="inside", mark=",", open=("quote",))
    for nothing in ("", " \n\t ", "\x00\x1b"):
        assert ENGLISH.apply(nothing, context) == ("", context)


def test_control_characters_are_not_typed() -> None:
    """An escape, a line feed or half a surrogate pair from an engine never reaches the window."""
    assert typed("hello\x1b[2J\r\nthere\ud800\x7f you") == "Hello [2J there you"


def test_the_clips_transcripts_stay_as_they_are() -> None:
    """No word of real read English is taken for a command; only a first letter may change."""
    manifest = SPEECH / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip("no shared speech beside the checkout; put it at ../shared/speech")
    for line in manifest.read_text().splitlines():
        text = json.loads(line)["text"]
        if text:
            assert typed(text)[1:] == text[1:]


# Words that no rule knows, so that what is tested is the transform and not the English language.
plain_words = st.sampled_from(
    ["world", "Ada", "Quilter", "1455", "3.5", "naïve", "McX", "it's", "U.S.", "e.g.", "Mr.", "x"]
)
marks = st.sampled_from(["", "", "", "", ",", ";", ":", ".", "?", "!", "..."])
COMMANDS = (
    *("comma", "period", "question mark", "colon", "dash", "hyphen", "ellipsis", "new line", "new paragraph"),
    *("open paren", "close paren", "quote", "open quote", "close quote", "percent sign", "dollar sign", "at sign"),
    "apostrophe s",
)
commands = st.sampled_from(COMMANDS)


def folded(text: str) -> str:
    """Return the text without what the transform may change in a text without commands."""
    return re.sub(r"\s", "", text).casefold()


@given(st.text(), st.builds(Context, glue=st.booleans(), case=st.sampled_from(["start", "inside", "free"])))
def test_it_takes_any_string(text: str, context: Context) -> None:
    """Whatever an engine hands over, there is a text to type, without a space at its end, that can be encoded."""
    page, after = ENGLISH.apply(text, context)
    page.encode()
    assert not page.endswith(" ")
    assert after.case in {"start", "inside", "free"}


@given(st.lists(st.tuples(plain_words, marks).map("".join), min_size=1).map(" ".join))
def test_text_without_commands_changes_in_spaces_and_capitals_alone(text: str) -> None:
    """Not a letter and not a mark of a text without commands is lost, added or moved."""
    assert folded(typed(text)) == folded(text)
    assert typed(text).lower() == text.lower()


@given(st.lists(st.one_of(plain_words, commands)), st.booleans())
def test_the_context_survives_a_restart(parts: list[str], punctuates: bool) -> None:
    """A context written as JSON and read back is the same, and it holds one character of the text at most."""
    context = ENGLISH.apply((", " if punctuates else " ").join(parts), Context())[1]
    assert msgspec.json.decode(msgspec.json.encode(context), type=Context) == context
    assert len(context.mark) <= 1


@given(st.lists(st.one_of(st.sampled_from(["world", "ada", "x", "1455", "i'm"]), commands)), st.data())
def test_pauses_beside_commands_change_nothing(parts: list[str], data: st.DataObject) -> None:
    """A text that is cut into utterances at its commands is typed as the same text in one breath."""
    parts = ["so", *parts]
    begins = {
        "comma",
        "period",
        "question mark",
        "colon",
    }  # with these no line begins, but in an utterance of their own
    assume(not any(one in {"new line", "new paragraph"} and two in begins for one, two in pairwise(parts)))
    utterances: list[list[str]] = [[]]
    for part in parts:
        before = utterances[-1][-1:]
        if {part, *before} & set(COMMANDS) and data.draw(st.booleans()):
            utterances.append([])
        utterances[-1].append(part)
    page, whole = typed(*(" ".join(utterance) for utterance in utterances)), typed(" ".join(parts))
    # What is typed has its capital, whatever address comes of it.
    assert page == whole or ("@" in whole and page.casefold() == whole.casefold())


@given(st.lists(st.tuples(st.sampled_from(["world", "ada", "x"]), st.one_of(st.none(), commands)), min_size=1))
def test_engines_that_punctuate_and_those_that_do_not_come_out_alike(pairs: list[tuple[str, str | None]]) -> None:
    """Commas that an engine writes around the commands leave no trace."""
    parts = [part for pair in pairs for part in pair if part]
    written = ""
    for index, part in enumerate(parts):
        beside = index and {part, parts[index - 1]} & set(COMMANDS)
        written += (", " if beside else " " if index else "") + part
    if parts[-1] in COMMANDS:
        written += "."  # it ends the sentence where the command closes something, or is a word
    page, bare = typed(written), typed(" ".join(parts))
    if page.endswith(".") and bare[-1:] not in {*".,;:?!…-\n", ""}:
        page = page.removesuffix(".")
    assert page == bare or ("@" in bare and page.casefold() == bare.casefold())


def test_without_commands_every_word_is_a_word() -> None:
    """For recordings that nobody dictated: no word becomes a mark, spaces and capitals are still seen to."""
    plain = Transformer.load("en", commands=False)
    text, context = plain.apply("so far like the present period that literal comma new line", Context())
    assert text == "So far like the present period that literal comma new line"
    assert plain.apply("and on", context)[0] == " and on"


@pytest.mark.parametrize(
    ("before", "mark", "expected"),
    [
        ("We came.", "", "We came and saw."),
        ("We came.", ",", "We came, and saw."),
        ("Did we come?", ",", "Did we come, and saw."),
        ("we came period", "", None),
        ("in the U.S.", "", None),
        ('He said "we came."', "", None),
        ("we came new line", "", None),
        ("we came,", "", None),
        ("", "", None),
    ],
)
def test_only_a_full_stop_of_the_engine_is_taken_back(before: str, mark: str, expected: str | None) -> None:
    """What was said, or belongs to a word, or does not stand last, stays; behind what goes the sentence goes on."""
    text, context = ENGLISH.apply(before, Context())
    mended = context.mended(mark)
    if mended is None:
        assert expected is None
        return
    assert text[:-1] + mark + ENGLISH.apply("And saw.", mended)[0] == expected


MODES: tuple[Mode, ...] = get_args(Mode)
contexts = st.builds(
    Context, glue=st.booleans(), case=st.sampled_from(get_args(Case)), mark=st.sampled_from(["", ".", ",", "?"]),
    spoken=st.booleans(), open=st.lists(st.sampled_from(["quote", "backtick"]), unique=True).map(tuple),
    line=st.booleans(), caps=st.sampled_from(get_args(Caps)), pending=st.sampled_from(get_args(Style)),
    mode=st.sampled_from(MODES),
)  # fmt: skip
casings = st.sampled_from(
    [
        "caps on",
        "caps off",
        "all caps",
        "no caps",
        "title case",
        "camel case",
        "snake case",
        "capital",
        "end case",
        "say",
    ]
)
utterances = st.lists(st.one_of(plain_words, commands, casings)).map(" ".join)


@given(st.one_of(st.text(), utterances), contexts)
def test_it_takes_any_string_in_any_state(text: str, context: Context) -> None:
    """Whatever was said before and in whatever mode, there is a text that can be encoded, and a state to go on from."""
    page, after = ENGLISH.apply(text, context)
    page.encode()
    assert msgspec.json.decode(msgspec.json.encode(after), type=Context) == after
    assert ENGLISH.explain(text, context)[:2] == (page, after)


@given(st.one_of(st.text(), utterances))
def test_verbatim_text_stays_as_it_is(text: str) -> None:
    """In `verbatim` no word is a command, and what was written once is written the same again."""
    context = Context(mode="verbatim")
    page = ENGLISH.apply(text, context)[0]
    assert ENGLISH.apply(page, context)[0] == page
    if " mode" not in text:
        assert folded(page) == folded(re.sub(r"[^\S ]|[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text))


@given(st.lists(utterances), st.lists(utterances))
def test_a_restart_in_a_quotation_changes_nothing(before: list[str], after: list[str]) -> None:
    """What is said behind an open quotation is typed the same whether the stage was restarted meanwhile or not."""
    context = Context()
    for text in ["she said quote", *before]:
        context = ENGLISH.apply(text, context)[1]
    other = msgspec.json.decode(msgspec.json.encode(context), type=Context)
    for text in [*after, "quote"]:
        page, context = ENGLISH.apply(text, context)
        assert RESTARTED.apply(text, other)[0] == page
        other = context


def test_a_context_of_before_there_were_modes_is_understood() -> None:
    """What an older Sottovoce left in the journal is read as dictation without capitals switched on."""
    old = b'{"glue":false,"case":"inside","mark":",","spoken":true,"open":["quote"]}'
    context = msgspec.json.decode(old, type=Context)
    assert (context.mode, context.caps, context.pending, context.open) == ("dictation", "", "", ("quote",))


@table(
    (("caps on", "so loud", "caps off", "indeed"), "SO LOUD indeed"),
    (("all caps", "nasa flies"), "NASA flies"),
    (("title case on", "the lord", "of the rings", "title case off", "is"), "The Lord of the Rings is"),
    (("camel case", "user name", "is set"), "userName is set"),
    (("she said quote no caps", "hello quote"), 'She said "hello"'),
    (("no caps on hello there", "no caps off. Yes"), "hello there yes"),
)
def test_asked_for_capitals_outlive_an_utterance(heard: tuple[str, ...], page: str) -> None:
    """What was switched on holds until it is switched off; what was asked for one word waits for that word."""
    assert typed(*heard) == page


@table(
    (("code mode", "x equals y", "Dictation mode.", "equals"), "x = y equals"),
    (
        ("verbatim mode", "literal comma all caps new line", "dictation mode", "comma"),
        "Literal comma all caps new line,",
    ),
    (("command mode", "hello comma world new line", "dictation mode", "Yes"), ",\nYes"),
    (
        ("see", "spelling mode", "Alpha, bravo.", "capital charlie 1 one X.Y.", "dictation mode", "here"),
        "See abC11xy here",
    ),
    (("the code mode is on",), "The code mode is on"),
)
def test_modes_are_switched_by_voice(heard: tuple[str, ...], page: str) -> None:
    """A mode is switched by an utterance that says nothing else, and from every mode there is a way back."""
    assert typed(*heard) == page


@table(
    (("code mode", "Total equals i plus count"), "total = i + count"),
    (("code mode", "user dot name", "Paris equals Rome"), "user.name paris = Rome"),
    (("code mode", "x equals y", "dictation mode", "new line so"), "x = y\nSo"),
)
def test_code_has_no_sentences(heard: tuple[str, ...], page: str) -> None:
    """In `code` no word has a capital for standing first, and "i" is a name."""
    assert typed(*heard) == page


@table(
    ("mister smith met doctor jones and one pound plus hash equals pipe",) * 2,
    ("three times a day we multiply less than before and spread rockets",) * 2,
    ("he won 3 times. greater than ever",) * 2,
    ("he lives in the capital i think",) * 2,
)
def test_ambiguous_words_are_words(heard: tuple[str, ...], page: str) -> None:
    """Words that are said in prose more often than meant as signs are left as they are."""
    assert typed(*heard).lower() == page.lower()


def test_what_was_decided_is_told() -> None:
    """`explain` names the commands that fired, what they wrote, and those that were left as words."""
    text, _, steps = ENGLISH.explain("put a comma here comma literal period all caps nasa", Context())
    assert text == "Put a comma here, period NASA"
    assert [(step.did, step.heard, step.result) for step in steps] == [
        ("kept", "comma", "words, by what stands beside them"),
        ("command", "comma", ","),
        ("escape", "literal period", "period"),
        ("case", "all caps", "upper word"),
    ]
