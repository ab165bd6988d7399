"""Corrections within the transform, and in the stage as a process of its own."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stages import Stages

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.corrections import Correction, CorrectionStore, database_path
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

ARCHON = Correction(heard="arkon", write="Archon", match="sound", number=1)
LEARNED = Corrections.of_language(
    [
        ARCHON,
        Correction(heard="my email", write="me@example.com", number=2),
        Correction(heard="sign off", write="Best regards,\nno comma period", number=3),
        Correction(heard="hash map", write="HashMap", number=4),
    ],
    "en",
)
ENGLISH = Transformer.load("en")


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
        ("ask arkon literal comma arkon", "Ask Archon comma Archon"),
        ("hash comma map", "Hash, map"),
    ],
)
def test_words_between_commands_are_corrected(heard: str, expected: str) -> None:
    """A phrase of words is corrected, whole; commands beside it work, and what was written is no command."""
    assert ENGLISH.apply(heard, Context(), corrections=LEARNED)[0] == expected


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
