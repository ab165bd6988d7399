"""A composer that corrects, beside one that does not."""

from __future__ import annotations

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


def test_nothing_is_written_past_the_words_that_wait() -> None:
    """Each method of a composer that writes first writes the words: one that is new must, too."""
    reads_only = {"has_open", "word"}
    methods = {name for name in vars(Composer) if not name.startswith("_")} - reads_only
    assert methods <= set(vars(Correcting))
