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

_AMENDS_S: Final = 1.0
_WATCH: Final = 'read -r well || exec "$@"'


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
    argv: Sequence[str], *, text: str = "", environ: Mapping[str, str], timeout: float, amends: Sequence[str] = ()
) -> Finished:
    """Run `argv` with `text` on its standard input; kill it after `timeout` seconds, or when this process ends.

    Unless it ends well, `amends` is run behind it, whoever was killed.

    The text is never an argument, since every user of the machine can read the arguments of every process. The tools
    decode by the locale, so they get a UTF-8 one: a service manager often starts us with none at all.
    """
    name = argv[0]
    program = shutil.which(name, path=environ.get("PATH"))
    if program is None:
        return Finished(None, why=f"{name} is not installed")
    with _Amends(amends, environ) as watched:
        try:
            child = subprocess.Popen(
                [program, *argv[1:]],
                env={**environ, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=watched.pass_fds,
                # A tool that outlived a killed injector would type into the midst of what its successor types.
                preexec_fn=partial(end_with_parent, signal.SIGKILL, os.getpid()),  # noqa: PLW1509 - one prctl, in a process of one thread
            )
        except OSError as error:
            watched.ended_well()
            return Finished(None, why=f"{name} cannot be started ({error.strerror})")
        with child:
            try:
                output, complaint = child.communicate(text.encode(), timeout)
                why = f"{name} ended with status {child.returncode}" if child.returncode else ""
            except subprocess.TimeoutExpired:
                child.kill()
                output, complaint = child.communicate()
                why = f"{name} did not finish within {timeout:.1f} s"
        if not why:
            watched.ended_well()
    return Finished(child.returncode, output.decode(errors="replace"), complaint.decode(errors="replace"), why)


class _Amends:
    """A process of its own that runs a command once a tool has not ended well.

    It reads from a pipe that this process and the tool hold open. A line there says that all is well; the end of it
    without one, that both are gone, or that the tool is and this process knows it. So whoever is killed, and even with
    a whole group of processes, the command runs, and not before the tool is gone.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.pass_fds: tuple[int, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        if not command:
            return
        end, begin = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["sh", "-c", _WATCH, "sh", *command],
                env=environ,
                stdin=end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:  # then nothing is amended, which is what there was without it
            os.close(begin)
        else:
            self.pass_fds = (begin,)
        finally:
            os.close(end)

    def __enter__(self) -> _Amends:
        return self

    def ended_well(self) -> None:
        """Tell that there is nothing to amend."""
        for fd in self.pass_fds:
            with contextlib.suppress(BrokenPipeError):  # it was killed
                os.write(fd, b"well\n")

    def __exit__(self, *error: object) -> None:
        for fd in self.pass_fds:
            os.close(fd)
        if self._process is not None:
            try:
                self._process.wait(_AMENDS_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
