"""`sottovoce learn` and `sottovoce corrections`: what is written where something else was heard."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from sottovoce.ops.exceptions import EXIT_BAD_INPUT, EXIT_FAILED, OpsError
from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.ops.edits import Edit
    from sottovoce.protocol.corrections import Correction, CorrectionStore, Outcome

corrections_app = typer.Typer(help="What is written where something else was heard.", no_args_is_help=True)

Heard = Annotated[str, typer.Argument(help="What is heard: one to five words.")]
Write = Annotated[str, typer.Argument(help="What is to be written; may have several lines.")]
Numbers = Annotated[list[int], typer.Argument(min=1, help="Corrections, as `corrections list` numbers them.")]
Modes = Annotated[list[str] | None, typer.Option("--mode", help="Only in this mode; repeatable. All by default.")]
MatchBy = Annotated[
    Literal["auto", "exact", "sound"],
    typer.Option(help="Whether it is found by its sound, too; `auto`: if the two sound alike."),
]
Case = Annotated[
    Literal["written", "heard", "upper", "lower"],
    typer.Option(help="Capitals: as written here, as in what is heard, all, or none."),
]
Form = Annotated[Literal["toml", "csv"] | None, typer.Option("--format", help="By default what the file's name says.")]


def hook(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("learn")(learn)
    app.add_typer(corrections_app, name="corrections")


def learn(
    heard: Annotated[str, typer.Argument(help="What is heard: one to five words.")] = "",
    write: Annotated[str, typer.Argument(help="What is to be written.")] = "",
    *,
    files: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--from", metavar="ORIGINAL EDITED", help="Two files: a transcript, and the same put right."),
    ] = None,
    utterance: Annotated[
        int | None, typer.Option(min=1, help="An utterance of `history list`; its text put right is read from stdin.")
    ] = None,
    match: MatchBy = "auto",
    case: Case = "written",
    mode: Modes = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Keep what was found without asking.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Learn a correction: from two phrases, or from a transcript that was put right, shown before anything is kept."""
    if ((bool(heard) and bool(write)), files is not None, utterance is not None).count(True) != 1 or (
        bool(heard) != bool(write)
    ):
        raise typer.BadParameter("give a phrase and its text, or --from, or --utterance: one of these")
    if heard:
        _keep([_made(heard, write, match, case, mode)], as_json=as_json)
        return
    before, after = _texts(files, utterance)
    changes = _edits(before, after)
    wanted = [edit for edit in changes if not edit.common]
    if not as_json:
        _show(changes)
    found = [_made(edit.heard, edit.write, match, case, mode) for edit in wanted]
    if found and (yes or _agreed(len(found), asked_by_pipe=utterance is not None)):
        _keep(found, as_json=as_json, extra={"passed_over": _pairs(changes, common=True)})
        return
    seen = _remember(wanted)
    if as_json:
        print_json({"kept": [], "seen": seen, "passed_over": _pairs(changes, common=True)})
    elif not changes:
        print("nothing to learn from: no word was put right", file=sys.stderr)
    elif found:
        print("not kept; --yes keeps them", file=sys.stderr)


@corrections_app.command("list")
def list_(
    suggested: Annotated[bool, typer.Option(help="What was put right again and again and is no correction.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List what was learned, with how often and when it was used; or what is suggested."""
    import shlex

    import msgspec

    with _opened() as store:
        rows: Sequence[Any] = store.suggestions() if suggested else store.all()
    if as_json:
        print_json(msgspec.to_builtins(rows))
        return
    for row in rows:
        command = f"sottovoce learn {shlex.quote(row.heard)} {shlex.quote(row.write)}" if suggested else ""
        print(f"{command}  # seen {row.seen} times" if suggested else _line(row))
    if not rows:
        print("nothing is suggested" if suggested else "nothing was learned yet", file=sys.stderr)


@corrections_app.command("add")
def add(
    heard: Heard, write: Write, *, match: MatchBy = "auto", case: Case = "written", mode: Modes = None,
    as_json: JsonFlag = False,
) -> None:  # fmt: skip
    """Add a correction, or change the one of this phrase in these modes."""
    _keep([_made(heard, write, match, case, mode)], as_json=as_json)


@corrections_app.command("rm")
def remove(numbers: Numbers, as_json: JsonFlag = False) -> None:
    """Remove corrections for good."""
    with _opened() as store:
        _missed(numbers, store.numbers())
        gone = store.remove(numbers)
    if as_json:
        print_json({"removed": gone})
    else:
        print(f"{len(gone)} removed")


@corrections_app.command("enable")
def enable(numbers: Numbers, as_json: JsonFlag = False) -> None:
    """Let corrections hold again."""
    _switch(numbers, on=True, as_json=as_json)


@corrections_app.command("disable")
def disable(numbers: Numbers, as_json: JsonFlag = False) -> None:
    """Let corrections no longer hold, and keep them."""
    _switch(numbers, on=False, as_json=as_json)


@corrections_app.command("forget-edits")
def forget_edits(as_json: JsonFlag = False) -> None:
    """Delete, for good, what was seen of edits, from which suggestions come."""
    with _opened() as store:
        gone = store.forget_edits()
    if as_json:
        print_json({"forgotten": gone})
    else:
        print(f"{gone} forgotten")


@corrections_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `corrections export` wrote, or a file like it.")],
    form: Form = None,
    replace: Annotated[bool, typer.Option("--replace", help="Where there is another one, take the file's.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add the corrections of a file. Where there is another one of the same phrase, that stays, and is told of."""
    from sottovoce.protocol import corrections_file

    try:
        found = corrections_file.read(file.read_bytes().decode(), _form(file, form))
    except corrections_file.FileProblem as problem:
        _refused(file, problem.reasons)
    except (OSError, UnicodeDecodeError) as error:
        _refused(file, [f"cannot be read: {getattr(error, 'strerror', None) or error}"])
    with _opened() as store:
        conflicts = [] if replace else corrections_file.conflicts(found, store.all())
        kept = {conflict.correction.key for conflict in conflicts}
        outcomes = store.add(*(one for _, one in found if one.key not in kept))
    counts = {outcome: outcomes.count(outcome) for outcome in ("added", "changed", "same")}
    lines = [
        {"line": line, "heard": one.heard, "write": one.write, "stays": other.write} for line, one, other in conflicts
    ]
    if as_json:
        print_json({**counts, "conflicts": lines})
    else:
        print(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    for conflict in lines:
        print(
            f"sottovoce: {file}: line {conflict['line']}: {conflict['heard']!r} is {conflict['write']!r} there and "
            f"something else here, which stays; --replace takes the file's",
            file=sys.stderr,
        )
    if lines:
        raise typer.Exit(EXIT_FAILED)


@corrections_app.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="A new file; printed by default.")] = None,
    form: Form = None,
    as_json: JsonFlag = False,
) -> None:
    """Write all corrections, with all that is known of them, to a file that only you can read."""
    import os

    from sottovoce.protocol import corrections_file

    with _opened() as store:
        corrections = store.all()
    text = corrections_file.write(corrections, _form(file, form))
    if file is None:
        if as_json:
            list_(as_json=True)
        else:
            print(text, end="")
        return
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as out:  # noqa: PTH123
            out.write(text)
    except OSError as error:
        raise OpsError(f"{file}: cannot be made: {error.strerror}; name a file that is not there yet") from error
    if as_json:
        print_json({"file": str(file), "corrections": len(corrections)})
    else:
        print(f"{len(corrections)} written to {file}")


@corrections_app.command("test")
def try_(
    text: Annotated[list[str], typer.Argument(help="What was heard.")],
    mode: Annotated[str, typer.Option(help="The mode in which it was.")] = "dictation",
    as_json: JsonFlag = False,
) -> None:
    """Show what corrections make of a text, and which of them. Nothing is counted as a use."""
    import msgspec

    from sottovoce.actors.transform.corrections import Corrections
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    settings = load_config(Paths.from_environment().config).transform
    with _opened() as store:
        entries = store.all()
    corrections = Corrections.of_language(
        entries, settings.language, least=settings.phonetic, fillers=settings.fillers
    )  # fmt: skip
    chunks, fired = corrections.apply(" ".join(text).split(), mode=mode)
    if as_json:
        print_json({"text": " ".join(chunks), "fired": msgspec.to_builtins(fired)})
        return
    print(" ".join(chunks))
    for hit in fired:
        which = "a filler" if hit.how == "filler" else f"correction {hit.number}, {hit.how}"
        print(f"  {hit.heard!r} -> {hit.wrote!r}: {which}, {hit.score:.2f}" if hit.how == "sound"
              else f"  {hit.heard!r} -> {hit.wrote!r}: {which}")  # fmt: skip


# -- what they share ---------------------------------------------------------------------------------------------------


@contextmanager
def _opened() -> Iterator[CorrectionStore]:
    from sottovoce.protocol.corrections import CorrectionStore, database_path
    from sottovoce.protocol.paths import Paths, private_directory

    paths = Paths.from_environment()
    private_directory(paths.state)
    store = CorrectionStore(database_path(paths))
    try:
        yield store
    finally:
        store.close()


def _made(heard: str, write: str, match: str, case: Any, mode: list[str] | None) -> Correction:
    from sottovoce.ops.edits import match_for
    from sottovoce.protocol.corrections import Correction

    heard = " ".join(heard.split())
    try:
        return Correction(
            heard=heard, write=write, case=case, modes=tuple(sorted(set(mode or ()))),
            match=match_for(heard, write) if match == "auto" else match,  # type: ignore[arg-type]
        )  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _keep(corrections: list[Correction], *, as_json: bool, extra: dict[str, Any] | None = None) -> None:
    with _opened() as store:
        outcomes = store.add(*corrections)
        now = [store.get(correction.key) for correction in corrections]
    rows = [(one, outcome) for one, outcome in zip(now, outcomes, strict=True) if one is not None]
    if as_json:
        print_json({"kept": [_as_dict(one, outcome) for one, outcome in rows], **(extra or {})})
        return
    for one, outcome in rows:
        print(f"{_line(one)}: {outcome}")


def _as_dict(correction: Correction, outcome: Outcome) -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(correction), "outcome": outcome}


def _texts(files: tuple[Path, Path] | None, utterance: int | None) -> tuple[str, str]:
    from sottovoce.ops.history import History
    from sottovoce.protocol.paths import Paths

    if utterance is not None:
        text = History(Paths.from_environment()).text(utterance)
        if sys.stdin.isatty():
            print(f"{text.strip()}\nPut right, then Ctrl-D:", file=sys.stderr)
        return text, sys.stdin.read()
    assert files is not None  # noqa: S101 - `learn` has seen to it
    texts = []
    for file in files:
        try:
            texts.append(file.read_bytes().decode())
        except (OSError, UnicodeDecodeError) as error:
            _refused(file, [f"cannot be read: {getattr(error, 'strerror', None) or error}"])
    return texts[0], texts[1]


def _edits(before: str, after: str) -> list[Edit]:
    from sottovoce.actors.transform.common import lexicon
    from sottovoce.ops.edits import edits
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    words = lexicon(load_config(Paths.from_environment().config).transform.language)
    return edits(before, after, () if words is None else words.common)


def _show(changes: list[Edit]) -> None:
    for edit in changes:
        why = "  (passed over: a common word, right elsewhere)" if edit.common else ""
        print(f"{edit.heard} -> {edit.write}{why}", file=sys.stderr)


def _agreed(number: int, *, asked_by_pipe: bool) -> bool:
    if asked_by_pipe and not sys.stdin.isatty():
        return False  # the text came on it, and no answer can
    # click's prompt writes to the standard output when there is no answer, and that may be JSON.
    print(f"Keep {'this' if number == 1 else f'these {number}'}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _remember(changes: list[Edit]) -> list[dict[str, Any]]:
    """Count edits that were not kept, unless nothing of what was dictated is to be kept."""
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    if not changes or load_config(Paths.from_environment().config).history.keep == "none":
        return []
    with _opened() as store:
        return [
            {"heard": edit.heard, "write": edit.write,
             "seen": store.saw(edit.heard, edit.write, now_ns=time.time_ns())}
            for edit in changes
        ]  # fmt: skip


def _pairs(changes: list[Edit], *, common: bool) -> list[dict[str, str]]:
    return [{"heard": edit.heard, "write": edit.write} for edit in changes if edit.common == common]


def _switch(numbers: list[int], *, on: bool, as_json: bool) -> None:
    with _opened() as store:
        _missed(numbers, store.numbers())
        done = store.enable(numbers, enabled=on)
    if as_json:
        print_json({"enabled" if on else "disabled": done})
    else:
        print(f"{len(done)} {'enabled' if on else 'disabled'}")


def _missed(numbers: list[int], there: set[int]) -> None:
    if missing := [number for number in numbers if number not in there]:
        raise OpsError(f"there is no correction {missing[0]}; see: sottovoce corrections list")


def _form(file: Path | None, form: Literal["toml", "csv"] | None) -> Literal["toml", "csv"]:
    return form or ("csv" if file is not None and file.suffix.lower() == ".csv" else "toml")


def _refused(file: Path, reasons: Sequence[str]) -> NoReturn:
    for reason in reasons:
        print(f"sottovoce: {file}: {reason}", file=sys.stderr)
    raise typer.Exit(EXIT_BAD_INPUT)


def _line(one: Correction) -> str:
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
