"""`sottovoce learn`: corrections from two phrases, or from a transcript that was put right."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sottovoce.ops.correcting import Case, MatchBy, Modes, keep, made, opened, read
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.ops.edits import Edit
    from sottovoce.protocol.correction import Correction


def learn(
    heard: Annotated[str, typer.Argument(help="What is heard: one to five words.")] = "",
    write: Annotated[str, typer.Argument(help="What is to be written.")] = "",
    *,
    files: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--from", metavar="ORIGINAL EDITED", help="Two files: a transcript, and the same put right."),
    ] = None,
    utterance: Annotated[
        int | None,
        typer.Option(min=1, help="An utterance of `history list`, to be put right in your editor, or on stdin."),
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
        keep([made(heard, write, match, case, mode)], as_json=as_json)
        return
    before, after = _texts(files, utterance)
    changes = _edits(before, after)
    wanted = [edit for edit in changes if not edit.common]
    if not (as_json and yes):  # nobody agrees to what was not shown
        _show(changes)
    found = [_of(edit, match, case, mode) for edit in wanted]
    if found and (yes or _agreed(len(found), asked_by_pipe=utterance is not None)):
        keep(found, as_json=as_json, extra={"passed_over": _pairs(changes, common=True)})
        return
    seen = _remember(wanted)
    if as_json:
        print_json({"kept": [], "seen": seen, "passed_over": _pairs(changes, common=True)})
    elif not changes:
        print("nothing to learn from: no word was put right", file=sys.stderr)
    elif found:
        print("not kept; --yes keeps them", file=sys.stderr)
    else:
        one = changes[0]
        command = f"sottovoce learn {shlex.quote(one.heard)} {shlex.quote(one.write)}"
        print(f"nothing is kept; to learn it all the same: {command}", file=sys.stderr)


def _of(edit: Edit, match: str, case: Any, mode: list[str] | None) -> Correction:
    """Return the correction for an edit; a word in small letters is to have the capital of a sentence's first."""
    one = made(edit.heard, edit.write, match, case, mode)
    if one.match == "exact" and case == "written" and edit.write.islower():
        return made(edit.heard, edit.write, match, "heard", mode)
    return one


def _texts(files: tuple[Path, Path] | None, utterance: int | None) -> tuple[str, str]:
    from sottovoce.ops.history import History
    from sottovoce.protocol.paths import Paths

    if utterance is not None:
        text = History(Paths.from_environment()).text(utterance)
        if sys.stdin.isatty():
            if (edited := _edited(text)) is not None:
                return text, edited
            print(f"{text.strip()}\nPut right, then Ctrl-D:", file=sys.stderr)
        return text, sys.stdin.read()
    assert files is not None  # noqa: S101 - `learn` has seen to it
    before, after = map(read, files)
    return before, after


def _edited(text: str) -> str | None:
    """Return what a person makes of a text in their editor; None where there is none.

    Raises:
        OpsError: it cannot be started, or gives up.
    """
    import subprocess
    import tempfile

    from sottovoce.protocol.paths import Paths, private_directory

    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        return None
    # Among the service's own files, which are in memory and for nobody else to read; an editor may replace the file.
    folder = Paths.from_environment().runtime
    private_directory(folder)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix="edit-", suffix=".txt") as file:
        file.write(f"{text.strip()}\n")
        file.flush()
        try:
            subprocess.run([*shlex.split(command), file.name], check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise OpsError(f"{command}: {error}; set EDITOR to an editor, or pipe the text put right") from error
        return Path(file.name).read_text()


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
    with opened() as store:
        return [
            {"heard": edit.heard, "write": edit.write,
             "seen": store.saw(edit.heard, edit.write, now_ns=time.time_ns())}
            for edit in changes
        ]  # fmt: skip


def _pairs(changes: list[Edit], *, common: bool) -> list[dict[str, str]]:
    return [{"heard": edit.heard, "write": edit.write} for edit in changes if edit.common == common]
