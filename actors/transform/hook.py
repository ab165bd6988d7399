"""The hook: a program of the user's that is handed each text before it is typed, and may change it or swallow it.

It is started once for an utterance, reads one line of JSON (`Said`) from its standard input, and answers by what it
prints and by its exit code. docs/hooks.md is its contract.

The problem is not to run it but to be rid of it. A program of anybody's may hang, fork, crash, print for ever, or leave
something behind that holds its pipes open, and the text must be typed in time for all that. So it is a session and
thereby a process group of its own, which is killed as a whole once the leader has ended or its time is over; while the
dead leader has not been waited for, the group's number is nobody else's. Its end is what is waited for, not the end of
its output, which a grandchild may hold. What it wants to outlive it has to leave the group (setsid(1)). Should we be
killed, the kernel ends the leader (`models.engines.launch`: 15 ms, within the time that it has).

What it prints is checked like anything from outside: UTF-8, no longer than may be typed, and without the control
characters that a terminal would obey.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

import msgspec

from sottovoce import models
from sottovoce.actors.transform.refusals import HookFailed, Swallowed
from sottovoce.protocol.config_outside import HookConfig

VERSION: Final = 1
"""Of what the hook reads. A field more is not another version; one that is gone, or means something else, is."""
EXIT_USE: Final = 0
EXIT_SWALLOW: Final = 10
"""Not 1 or 2, with which interpreters and shells end by mistake, nor beyond 125, where shells and signals are."""
LONGEST: Final = 10_000
"""Characters. At the 12 ms that the slowest back end takes for each, two minutes."""

_ENVIRONMENT: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
)  # fmt: skip
# Found without being imported: the package around it brings numpy, 12 MB and 0.25 s that this stage does without.
_LAUNCH: Final = str(Path(models.__file__).parent / "engines" / "launch.py")
_PIPE: Final = 1 << 16


class Key(msgspec.Struct, frozen=True):
    """An utterance's key, the same in the journal and on the bus."""

    stream: int
    first: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the hook reads, as JSON."""

    text: str
    """What would be typed, without the space that parts it from the utterance before."""
    heard: str
    """The recogniser's text."""
    language: str
    """Of the rules, ISO 639-1."""
    mode: str
    """How the text was made: "dictation"."""
    utterance: Key
    application: str | None = None
    """Which has the focus; null where that is not known."""
    v: int = VERSION


class Hook:
    """Runs the program of `[hook]`. For one thread at a time, which must live as long as the process.

    (The kernel takes the *thread* that started a program for its parent: prctl(2), PR_SET_PDEATHSIG.)
    """

    def __init__(self, config: HookConfig, *, environ: Mapping[str, str] = os.environ) -> None:
        """Take the configuration; `environ` is where the few variables are taken from that it is handed."""
        self._config = config
        names = (*_ENVIRONMENT, *config.environment)
        self._environ = {name: environ[name] for name in names if name in environ}

    def missing(self) -> str:
        """Return what keeps the program from being run, "" for nothing."""
        program = self._config.command[0]
        if "/" in program and not program.startswith(("/", "~")):
            return f"{program} must begin with / or ~, or be a name that is found on the PATH"
        return "" if self.program() else f"{program} is not installed, or not to be run"

    def apply(self, said: Said) -> str:
        """Return the text to type, within the configured time.

        Raises:
            Swallowed: the hook wants nothing to be typed.
            HookFailed: it has no usable answer. In every case nothing of its process group is left.
        """
        deadline = time.monotonic() + self._config.timeout
        program = self.program()
        if program is None or not program.startswith("/"):
            raise HookFailed(self.missing() or "is found by a PATH that depends on where we are")
        arguments = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), program, *self._config.command[1:]]
        try:
            process = subprocess.Popen(
                arguments, env=self._environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True, bufsize=0, cwd="/",
            )  # fmt: skip
        except OSError as error:
            raise HookFailed(f"cannot be started: {error.strerror}") from error
        with _piped(process.stdin) as stdin, _piped(process.stdout) as stdout:
            try:
                output = _converse(process.pid, stdin, stdout, msgspec.json.encode(said) + b"\n", deadline)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # the second: one that changed its user
                    os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
        if code == EXIT_SWALLOW:
            raise Swallowed
        if code != EXIT_USE:
            raise HookFailed(f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}")
        return checked(output)

    def program(self) -> str | None:
        """Return the path of the program, None where there is none that can be run."""
        try:
            path = Path(self._config.command[0]).expanduser()
        except RuntimeError:  # "~name/x", and there is nobody of that name
            return None
        return shutil.which(
            str(path) if path.is_absolute() else self._config.command[0], path=self._environ.get("PATH")
        )


def checked(output: bytes) -> str:
    """Return what a program has printed as a text to type; the newline that `print` and `echo` add is taken off.

    Raises:
        HookFailed: it is not that.
    """
    try:
        text = output.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise HookFailed("printed what is not UTF-8") from None
    if not text:
        raise HookFailed(f"printed nothing (to have nothing typed, it ends with exit code {EXIT_SWALLOW})")
    if len(text) > LONGEST:
        raise HookFailed(f"printed more than {LONGEST:,} characters")
    if not typable(text):
        raise HookFailed("printed control characters, which a terminal might obey")
    return text


def typable(text: str) -> bool:
    """Whether a text from outside holds nothing but characters, newlines and tabs."""
    return not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text)


def _converse(pid: int, stdin: IO[bytes], stdout: IO[bytes], question: bytes, deadline: float) -> bytes:
    """Write the question and read until the process has ended, though it is not waited for here.

    Raises:
        HookFailed: it had not ended at the deadline, or has printed too much.
    """
    output = bytearray()
    for pipe in (stdin, stdout):
        os.set_blocking(pipe.fileno(), False)
    with _pidfd(pid) as end, selectors.DefaultSelector() as ready:
        ready.register(end, selectors.EVENT_READ)
        ready.register(stdout, selectors.EVENT_READ)
        ready.register(stdin, selectors.EVENT_WRITE)
        while True:
            events = {key.fileobj for key, _ in ready.select(max(0.0, deadline - time.monotonic()))}
            if stdout in events and not _drain(stdout, output):
                ready.unregister(stdout)
            if end in events:
                _drain(stdout, output)  # what it said last; a grandchild that holds the pipe is not waited for
                return bytes(output)
            if time.monotonic() >= deadline:
                raise HookFailed("did not end in time")
            if stdin in events and not (question := _written(stdin, question)):
                ready.unregister(stdin)
                stdin.close()


def _written(stdin: IO[bytes], question: bytes) -> bytes:
    """Write what the pipe takes and return the rest; there is none for who does not read."""
    try:
        return question[os.write(stdin.fileno(), question) :]
    except BlockingIOError:
        return question
    except BrokenPipeError:
        return b""


def _drain(stdout: IO[bytes], output: bytearray) -> bool:
    """Add what there is to the output; False at its end.

    Raises:
        HookFailed: that is more than is ever typed.
    """
    while True:
        try:
            data = os.read(stdout.fileno(), _PIPE)
        except BlockingIOError:
            return True
        if not data:
            return False
        output += data
        if len(output) > 4 * LONGEST + 1:  # UTF-8 has no longer character, and there is the newline
            raise HookFailed(f"printed more than {LONGEST:,} characters")


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _piped(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - asked for
    return pipe
