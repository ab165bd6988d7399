"""A composer that corrects, beside one that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Context
from sottovoce.actors.transform.correcting import Correcting
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.actors.transform.rulebook import read, shipped
from sottovoce.protocol.correction import Correction

ENTRIES = (
    Correction(heard="my email", write="me@example.com", number=2),
    Correction(heard="ok", write="OK then", number=3),
)
RULES = read(shipped("en"))
COMMA = next(rule for rule in RULES.rule if "comma" in rule.spoken)


def test_a_phrase_is_of_the_words_between_two_commands() -> None:
    """Words of a run are corrected together, those on two sides of a command are not; changes come in their order."""
    fired: list[Fired] = []
    composer = Correcting(Casing(RULES), Context(), Corrections(ENTRIES, fillers={"um"}), fired)
    for said in ("um", "my", "email", COMMA, "my", COMMA, "email", "Ok."):
        if isinstance(said, str):
            composer.word(said, said.lower().rstrip("."))
        else:
            composer.command(said, "")
    assert composer.finish()[0] == "me@example.com, my, email OK then."
    assert [(hit.number, hit.heard) for hit in fired] == [(0, "um"), (2, "my email"), (3, "Ok")]


def test_what_waits_is_no_start_of_a_line() -> None:
    """Words that are not written yet are there all the same."""
    composer = Correcting(Casing(RULES), Context(line=True), Corrections(()), [])
    assert composer.begins_line
    composer.word("so", "so")
    assert not composer.begins_line
    assert not composer.opens_bracket


WRITING: dict[str, Callable[[Correcting], object]] = {
    "command": lambda composer: composer.command(COMMA, ""),
    "style": lambda composer: composer.style("upper word", ""),
    "spell": lambda composer: composer.spell("b"),
    "unpause": lambda composer: composer.unpause(),
    "finish": lambda composer: composer.finish(),
}
"""The methods of a composer that write, or decide by what is written."""


@pytest.mark.parametrize("method", WRITING)
def test_nothing_is_written_past_the_words_that_wait(method: str) -> None:
    """Whoever writes first writes the words."""
    composer = Correcting(Casing(RULES), Context(), Corrections(()), [])
    composer.word("so", "so")
    WRITING[method](composer)
    assert composer.finish()[0].startswith("So")
    assert not composer._waiting


def test_each_method_that_writes_is_known() -> None:
    """One that is new must be tried above, too."""
    reads_only = {"has_open", "begins_line", "begun_line", "opens_bracket"}
    methods = {name for name in vars(Composer) if not name.startswith("_")} - reads_only
    assert methods == {*WRITING, "word", "words"}
