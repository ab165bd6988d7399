"""Spoken phrases as people say them, and what any reader of docs/commands.md expects: the rows of `phrases.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.numbers import Mode as Numbers

ENGLISH = Transformer.load()
TABLE = Path(__file__).parent / "phrases.toml"


class Group(msgspec.Struct, forbid_unknown_fields=True):
    """Rows that hold in the same modes."""

    about: str
    rows: list[tuple[str | list[str], str]]
    mode: Mode = "dictation"
    numbers: tuple[Numbers, ...] = ("explicit", "natural")


GROUPS = [msgspec.convert(group, Group, strict=False) for group in tomllib.loads(TABLE.read_text())["group"]]


def rows() -> Iterator[object]:
    """Yield what is heard, what is typed, and the two modes, once for each mode of numbers."""
    for group in GROUPS:
        for heard, page in group.rows:
            for numbers in group.numbers:
                utterances = (heard,) if isinstance(heard, str) else tuple(heard)
                yield pytest.param(utterances, page, group.mode, numbers, id=f"{numbers}-{' | '.join(utterances)}")


@pytest.mark.parametrize(("heard", "page", "mode", "numbers"), list(rows()))
def test_a_phrase_is_written_as_expected(heard: tuple[str, ...], page: str, mode: Mode, numbers: Numbers) -> None:
    """What is said is written as the command table says, in each mode of numbers in which the row holds."""
    context, written = Context(mode=mode), ""
    for utterance in heard:
        text, context = ENGLISH.apply(utterance, context, numbers=numbers)
        written += text
    assert written == page


def test_the_table_is_large_enough_to_mean_something() -> None:
    """There are 400 phrases at least, and no phrase is in a group twice."""
    assert sum(len(group.rows) for group in GROUPS) >= 400
    for group in GROUPS:
        said = [str(heard) for heard, _ in group.rows]
        assert len(said) == len(set(said)), group.about
