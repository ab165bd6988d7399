"""Run a typing tool: the text through its standard input, a time limit that grows with the text, nothing leaked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sottovoce.actors.process import end_with_parent

_TIDYING_S: Final = 1.0


@dataclass(frozen=True)
class Finished:
    """How a tool ended."""

    code: int | None
    """Exit status, negative the signal that killed it; None if it never started."""
    output: str = ""
    complaint: str = ""
    """What it wrote to standard error. May hold some of the text: compare with it, never pass it on."""
    why: str = ""
    """What went wrong, without any of the text; empty if nothing did."""


def missing(program: str, environ: Mapping[str, str], package: str = "") -> str | None:
    """Return None if `program` is on the PATH of `environ`, else how to get it."""
    if shutil.which(program, path=environ.get("PATH")):
        return None
    return f"{program} is not installed: apt install {package or program}"


def run(
    argv: Sequence[str], *, text: str = "", environ: Mapping[str, str], timeout: float, tidies: bool = False
) -> Finished:
    """Run `argv` with `text` on its standard input; kill it after `timeout` seconds, or when this process ends.

    One that `tidies` up behind itself is sent SIGTERM then, and is killed only if it has not ended a second later.

    The text is never an argument, since every user of the machine can read the arguments of every process. The tools
    decode by the locale, so they get a UTF-8 one: a service manager often starts us with none at all.
    """
    name = argv[0]
    program = shutil.which(name, path=environ.get("PATH"))
    if program is None:
        return Finished(None, why=f"{name} is not installed")
    try:
        child = subprocess.Popen(
            [program, *argv[1:]],
            env={**environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A tool that outlived a killed injector would type into the midst of what its successor types.
            preexec_fn=partial(end_with_parent, signal.SIGTERM if tidies else signal.SIGKILL, os.getpid()),  # noqa: PLW1509 - one prctl, in a process of one thread
        )
    except OSError as error:
        return Finished(None, why=f"{name} cannot be started ({error.strerror})")
    with child:
        try:
            output, complaint = child.communicate(text.encode(), timeout)
            why = f"{name} ended with status {child.returncode}" if child.returncode else ""
        except subprocess.TimeoutExpired:
            output, complaint = _ended(child, tidies=tidies)
            why = f"{name} did not finish within {timeout:.1f} s"
    return Finished(child.returncode, output.decode(errors="replace"), complaint.decode(errors="replace"), why)


def _ended(child: subprocess.Popen[bytes], *, tidies: bool) -> tuple[bytes, bytes]:
    """End a tool and return what it wrote."""
    if tidies:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.communicate(timeout=_TIDYING_S)
    child.kill()
    return child.communicate()
