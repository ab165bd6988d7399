"""Corrections within the transform, and in the stage as a process of its own."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stages import Stages

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.correction import Correction
from sottovoce.protocol.corrections import CorrectionStore, database_path
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

ARCHON = Correction(heard="arkon", write="Archon", match="sound", number=1)
LEARNED = Corrections.of_language(
    [
        ARCHON,
        Correction(heard="my email", write="me@example.com", number=2),
        Correction(heard="sign off", write="Best regards,\nno comma period", number=3),
        Correction(heard="hash map", write="HashMap", number=4),
        Correction(heard="home page", write="the https://Example.com/a,", number=5),
        Correction(heard="thank you line", write="i thank you!\n", number=6),
        Correction(heard="gonna", write="going to", case="heard", number=7),
    ],
    "en",
)
ENGLISH = Transformer.load("en")


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("Arkon is here", "Archon is here"),
        ('"Um, arkon', '"Archon'),
        ("Arkon, um, is", "Archon is"),
        ("Gonna go", "going to go"),
    ],
)
def test_a_learned_capital_is_none_of_a_sentence(heard: str, expected: str) -> None:
    """In code, where the capital of a sentence's first word goes, that of a name which was learned stays."""
    assert ENGLISH.apply(heard, Context(mode="code"), corrections=LEARNED)[0] == expected


def test_small_letters_that_are_asked_for_stay_small() -> None:
    """With the case "lower" there is no capital at the start of a sentence either."""
    learned = Corrections([Correction(heard="enpm", write="NPM", case="lower", number=1)])
    assert ENGLISH.apply("Enpm runs. enpm ran", Context(), corrections=learned)[0] == "npm runs. npm ran"


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("um comma hello arkon comma world period", ", hello Archon, world."),
        ("Hello, Arkon. Comma, is it arcon's? Question mark.", "Hello, Archon, is it Archon's?"),
        ("I, um, think so period", "I think so."),
        ("new line my email comma ok", "\nme@example.com, ok"),
        ("open quote arkon close quote", '"Archon"'),
        ("use a hash map period", "Use a HashMap."),
        ("sign off", "Best regards,\nno comma period"),
        ("home page period", "the https://Example.com/a,."),
        (
            "So home page, comma. I said all caps home page and this",
            "So the https://Example.com/a,, I said the https://Example.com/a, and this",
        ),
        ("so home page. new line ok", "So the https://Example.com/a,.\nOk"),
        ("home page um. so", "the https://Example.com/a, so"),
        ("say (home page) or um (home page).", "Say (the https://Example.com/a,) or (the https://Example.com/a,)."),
        ("thank you line we met", "i thank you!\nWe met"),
        ("gonna go home period", "Going to go home."),
        ("ask arkon literal comma arkon", "Ask Archon comma Archon"),
        ("hash comma map", "Hash, map"),
    ],
)
def test_words_between_commands_are_corrected(heard: str, expected: str) -> None:
    """A phrase of words is corrected, whole; commands beside it work, and what was written is no command."""
    assert ENGLISH.apply(heard, Context(), corrections=LEARNED)[0] == expected


def test_the_steps_are_told_in_the_order_of_the_words() -> None:
    """`explain` has what became digits first, and then corrections, fillers and commands as they were said."""
    _, _, steps = ENGLISH.explain(
        "um a comma for arcon comma literal comma my email on line forty two", Context(), numbers="explicit",
        corrections=LEARNED,
    )  # fmt: skip
    assert [(step.did, step.heard, step.result) for step in steps] == [
        ("numbers", "forty two", "42"),
        ("filler", "um", ""),
        ("kept", "comma", "words, by what stands beside them"),
        ("correction", "arcon", "Archon"),
        ("command", "comma", ","),
        ("escape", "literal comma", "comma"),
        ("correction", "my email", "me@example.com"),
    ]
    sounded, exact = (step for step in steps if step.did == "correction")
    assert (sounded.number, sounded.how, sounded.score < 1) == (1, "sound", True)
    assert msgspec.to_builtins(exact) == {
        "did": "correction", "heard": "my email", "result": "me@example.com", "number": 2, "how": "exact",
    }  # fmt: skip


def test_what_fired_is_reported() -> None:
    """Each correction and filler of an utterance, in its order."""
    fired: list[Fired] = []
    ENGLISH.apply("um arkon comma my email", Context(), corrections=LEARNED, fired=fired)
    assert [(hit.number, hit.how) for hit in fired] == [(0, "filler"), (1, "exact"), (2, "exact")]


@given(
    st.text()
    | st.lists(st.sampled_from(["um,", "arkon", "Arcon.", "comma", "new", "line", "my", "email"])).map(" ".join)
)
def test_nothing_learned_changes_nothing(text: str) -> None:
    """Without corrections a text comes out as if there were no such thing; with them nothing raises."""
    assert ENGLISH.apply(text, Context(), corrections=Corrections(())) == ENGLISH.apply(text, Context())
    ENGLISH.apply(text, Context(), corrections=LEARNED)


def test_the_stage_learns_while_it_runs(stages: Stages, journal: Journal, paths: Paths) -> None:
    """A correction that is learned holds without a restart, and its uses are in the database when the stage ends."""
    process = stages.start("transform")
    generation = journal.begin_recording("{}")
    numbers = itertools.count()

    def typed(text: str) -> str | None:
        first = next(numbers) * 1000
        journal.segmented(
            generation=generation, stream=1, first=first, end=first + 900, speech_end=first, spoken_ns=now_ns(),
            position=first + 901, wall_ns=0,
        )  # fmt: skip
        ordinal = first // 1000 + 1
        assert journal.transcribed(ordinal, text=text, model="tiny")
        stages.wait_until(lambda: journal.utterance(ordinal).state == "transformed", process)
        return journal.utterance(ordinal).text

    assert typed("um so arkon") == "So arkon"
    store = CorrectionStore(database_path(paths))
    store.add(ARCHON)
    stages.wait_until(lambda: typed("so arcon") == " so Archon", process)
    process.terminate()
    process.wait(timeout=20)
    assert store.all()[0].uses == 1
    assert "rchon" not in stages.log()
    store.close()
