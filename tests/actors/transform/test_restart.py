"""The transform stage ends in the middle of what is dictated, and another begins in its place."""

from __future__ import annotations

import signal

from stages import Stages

from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal

SAID = (
    "she said quote this is",
    "number forty two literal comma caps on",
    "not over, open paren",
    "yet, close paren, caps off. And",
    "never will be quote",
    "and left period",
)


def say(journal: Journal, number: int, text: str) -> None:
    """Enter an utterance as the recogniser leaves it."""
    first = number * 1000
    journal.segmented(
        generation=1, stream=1, first=first, end=first + 900, speech_end=first, spoken_ns=now_ns(),
        position=first + 901, wall_ns=0,
    )  # fmt: skip
    assert journal.transcribed(number, text=text, model="tiny")


def test_a_quotation_survives_a_killed_stage(stages: Stages, journal: Journal) -> None:
    """Killed after each utterance of a quotation, the stage goes on in the journal's state: same text as in one breath.

    What is open is closed with its closing mark, capitals stay on, and no space and no capital tells of it.
    """
    journal.begin_recording("{}")
    for number, text in enumerate(SAID, 1):
        say(journal, number, text)
        if number % 2:  # a stage of its own for every two of them, and the last is killed in the open quotation
            process = stages.start("transform")
        stages.wait_until(lambda number=number: journal.utterance(number).state == "transformed", process)  # type: ignore[misc]
        if not number % 2:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    page = "".join(journal.utterance(number).text or "" for number in range(1, len(SAID) + 1))
    assert page == 'She said "This is 42 comma NOT OVER (YET) and never will be" and left.'
