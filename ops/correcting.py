"""What the commands about corrections share: their options, the store, and how a correction is made and shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from sottovoce.ops.exceptions import EXIT_BAD_INPUT
from sottovoce.ops.output import print_json

if TYPE_CHECKING:
    from sottovoce.protocol.correction import Correction
    from sottovoce.protocol.corrections import CorrectionStore, Outcome

Modes = Annotated[list[str] | None, typer.Option("--mode", help="Only in this mode; repeatable. All by default.")]
MatchBy = Annotated[
    Literal["auto", "exact", "sound"],
    typer.Option(help="Whether it is found by its sound, too; `auto`: if the two sound alike."),
]
Case = Annotated[
    Literal["written", "heard", "upper", "lower"],
    typer.Option(help="Capitals: as written here, as in what is heard, all, or none."),
]


@contextmanager
def opened() -> Iterator[CorrectionStore]:
    """Open the store of this user's service for the block.

    Raises:
        CorrectionsError, PathError: it cannot be.
    """
    from sottovoce.protocol.corrections import CorrectionStore, database_path
    from sottovoce.protocol.paths import Paths, private_directory

    paths = Paths.from_environment()
    private_directory(paths.state)
    store = CorrectionStore(database_path(paths))
    try:
        yield store
    finally:
        store.close()


def made(heard: str, write: str, match: str, case: Any, mode: list[str] | None) -> Correction:
    """Return a correction of what was given on the command line.

    Raises:
        typer.BadParameter: it could never be heard, or not be written.
    """
    from sottovoce.ops.edits import match_for
    from sottovoce.protocol.correction import Correction, check_modes

    heard = " ".join(heard.split())
    try:
        check_modes(mode or ())
        return Correction(
            heard=heard, write=write, case=case, modes=tuple(sorted(set(mode or ()))),
            match=match_for(heard, write) if match == "auto" else match,  # type: ignore[arg-type]
        )  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def keep(corrections: list[Correction], *, as_json: bool, extra: dict[str, Any] | None = None) -> None:
    """Add corrections to the store, and print what became of them; as JSON with `extra` beside it."""
    with opened() as store:
        outcomes = store.add(*corrections)
        now = [store.get(correction.key) for correction in corrections]
    rows = [(one, outcome) for one, outcome in zip(now, outcomes, strict=True) if one is not None]
    if as_json:
        print_json({"kept": [_as_dict(one, outcome) for one, outcome in rows], **(extra or {})})
        return
    for one, outcome in rows:
        print(f"{as_line(one)}: {outcome}")


def _as_dict(correction: Correction, outcome: Outcome) -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(correction), "outcome": outcome}


def refused(file: Path, reasons: Sequence[str]) -> NoReturn:
    """Tell why a file is not taken, a line for each reason, and end the command."""
    for reason in reasons:
        print(f"sottovoce: {file}: {reason}", file=sys.stderr)
    raise typer.Exit(EXIT_BAD_INPUT)


def read(file: Path) -> str:
    """Return the text of a file, or end the command with the reason why it cannot be read."""
    try:
        return file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        refused(file, [f"cannot be read: {getattr(error, 'strerror', None) or error}"])


def as_line(one: Correction) -> str:
    """Return a correction for people, with how it is found and how often it was used."""
    import datetime

    notes = [{"exact": "", "sound": "by sound"}[one.match], "" if one.case == "written" else f"case {one.case}",
             f"in {', '.join(one.modes)}" if one.modes else "", "" if one.enabled else "off"]  # fmt: skip
    if one.used_ns is not None:
        last = datetime.datetime.fromtimestamp(one.used_ns / 1e9).astimezone()
        notes.append(f"{one.uses} times, last {last:%Y-%m-%d}")
    shown = ", ".join(note for note in notes if note)
    return f"{one.number:>4}  {one.heard} -> {_quoted(one.write)}" + (f"  ({shown})" if shown else "")


def _quoted(text: str) -> str:
    """Return a text on one line, in quotation marks if it is more than a word."""
    import json

    return text if text.isalnum() else json.dumps(text, ensure_ascii=False)
