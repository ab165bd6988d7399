"""A program that we start, write lines to and read lines from, and that never outlives us.

A keeper thread belongs to each. It starts the program, reads what it says, empties its standard error, and waits for
its end. That it starts the program, and lives until the program has ended, is no matter of taste: the kernel takes the
*thread* that created a process for its parent, and would kill the program at the end of whatever thread had happened
to load a model (prctl(2), PR_SET_PDEATHSIG).

What the program starts itself is in its session and so in its process group, which is killed as a whole. What leaves
the group (a daemon) still has our mark in its environment, by which it is found in /proc. If we are killed ourselves,
the kernel ends the program; what that one has started is left to it, and finds its pipes closed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from sottovoce.models.bridge.wire import LINE_LIMIT
from sottovoce.models.engines.complaints import Complaints

_MARK = "SOTTOVOCE_CHILD"
_LAUNCH = str(Path(__file__).with_name("launch.py"))
_UNREAD_LIMIT = 64
"""Lines that may wait for us. A child says one at a time, so this many are a flood."""
_FULL_PIPE_S = 0.01
"""Between two looks at a pipe that is full: 64 KiB that the child has not read."""
_SWEEP_S = 2.0
"""Longest wait for somebody who was killed; one in the midst of a system call may take its time."""
_SWEEP_PAUSE_S = 0.002
_LAST_WORDS_S = 0.5
"""From the end of its standard output to its own end; a process closes the one just before the other."""


class ChildGone(Exception):
    """It has ended, or will not say anything more that we can read; the text says how."""


class Child:
    """The program.

    Args:
        command: the program, looked for on the PATH if it is no path, and its arguments.
        environ: its environment; ours if None.

    Raises:
        ChildGone: it cannot be started.
    """

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        program = shutil.which(command[0], path=environ.get("PATH"))
        if program is None:
            raise ChildGone(f"{command[0]} is not installed, or not to be run; correct command in the catalogue")
        self._argv = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), program, *command[1:]]
        self._mark = uuid.uuid4().hex
        self._environ = {**environ, _MARK: self._mark}
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._partial = bytearray()
        self._why: str | None = None  # nothing more will come
        self._interrupted = False
        self._reaped = False
        self.complaints = Complaints()
        started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._keep, args=(started,), name="child", daemon=True)
        self._keeper.start()
        process = started.get()
        if isinstance(process, OSError):
            raise ChildGone(f"cannot be started: {process}") from process
        self._stdin = _piped(process.stdin)
        self.pid = process.pid

    def send(self, line: bytes, deadline: float) -> None:
        """Write one line.

        Args:
            line: with its newline.
            deadline: of time.monotonic().

        Raises:
            ChildGone: it does not read, or cannot.
        """
        stdin = self._stdin
        while line:
            try:
                with self._changed:  # so that `end` in another thread does not close it under our hands
                    line = line[os.write(stdin.fileno(), line) :]
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ChildGone("does not read what it is asked") from None
                self._keeper.join(_FULL_PIPE_S)
            except (OSError, ValueError) as error:  # broken, or closed
                raise ChildGone(self._ended("does not read its standard input any more")) from error

    def receive(self, deadline: float) -> bytes | None:
        """Return the next line without its newline; None at the deadline (of time.monotonic()), or if interrupted.

        Raises:
            ChildGone: there will be none.
        """
        with self._changed:
            while not self._lines:
                if self._why is not None:
                    raise ChildGone(self._why)
                left = deadline - time.monotonic()
                if self._interrupted or left <= 0:
                    self._interrupted = False
                    return None
                self._changed.wait(left)
            return self._lines.popleft()

    def unasked(self) -> bool:
        """Whether it has said something already."""
        return bool(self._lines)

    def interrupt(self) -> None:
        """Have a `receive` that waits, or the next one, return None. For another thread.

        One that comes too late costs the next caller of `receive` a turn of its loop; to forget it there would be to
        lose one that has just come.
        """
        with self._changed:
            self._interrupted = True
            self._changed.notify_all()

    def end(self, patience: float = 0.0) -> None:
        """End it, and all that it has started: its input is closed, then SIGTERM, then SIGKILL. May be called again.

        Args:
            patience: seconds between these; 0 begins with SIGKILL.
        """
        with self._changed:
            self._stdin.close()
        if patience:
            self._keeper.join(patience)
            if self._signal(signal.SIGTERM):
                self._keeper.join(patience)
        self._signal(signal.SIGKILL)
        self._keeper.join()
        self._sweep()

    def _signal(self, number: signal.Signals) -> bool:
        """Send it to the group, unless the group may be another one by now; tell whether it was sent."""
        with self._changed:
            if self._reaped:
                return False
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            return True

    def _sweep(self) -> None:
        """Kill whoever has left the group."""
        clean, deadline = 0, time.monotonic() + _SWEEP_S
        # Twice: who was in the midst of an exec had no environment at the first look.
        while clean < 2 and time.monotonic() < deadline:
            clean = 0 if self._kill_marked() else clean + 1
            time.sleep(_SWEEP_PAUSE_S)

    def _kill_marked(self) -> bool:
        """Kill every process that has our mark in its environment; tell whether there was one."""
        mark = f"{_MARK}={self._mark}".encode()
        found = False
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            # Of another user, or just gone. The descriptor comes first, so that the process that is looked at is the
            # one that is killed.
            with contextlib.suppress(OSError):
                descriptor = os.pidfd_open(int(entry.name))
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                        found = True
                finally:
                    os.close(descriptor)
        return found

    def _keep(self, started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError]) -> None:
        try:
            process = subprocess.Popen(
                self._argv,
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            started.put(error)
            return
        stdin, stdout, stderr = _piped(process.stdin), _piped(process.stdout), _piped(process.stderr)
        for pipe in (stdin, stdout, stderr):
            os.set_blocking(pipe.fileno(), False)
        descriptor = os.pidfd_open(process.pid)
        started.put(process)
        with stdout, stderr, selectors.DefaultSelector() as ready:
            for source in (stdout.fileno(), stderr.fileno(), descriptor):
                ready.register(source, selectors.EVENT_READ)
            self._listen(ready, stdout.fileno(), descriptor)
            with self._changed:
                # While the dead leader has not been waited for, its number is the group's and nobody else's.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                self._reaped = True
                stdin.close()
            # What it said last is still in the pipes; a grandchild that held them has just been killed.
            self._drain(stdout.fileno(), self._hear)
            self._drain(stderr.fileno(), self.complaints.take)
        os.close(descriptor)
        self.complaints.take(b"\n")
        self._finish(_status(process.returncode) + self._broken_off())

    def _listen(self, ready: selectors.BaseSelector, output: int, descriptor: int) -> None:
        """Read until the process has ended."""
        closed_at: float | None = None
        while True:
            left = None if closed_at is None else max(0.0, closed_at + _LAST_WORDS_S - time.monotonic())
            events = ready.select(left)
            if not events:
                self._finish("has closed its standard output" + self._broken_off())
                closed_at = None
            for key, _ in events:
                if key.fd == descriptor:
                    return
                more = self._drain(key.fd, self._hear if key.fd == output else self.complaints.take)
                if not more:
                    ready.unregister(key.fd)
                    if key.fd == output:
                        closed_at = time.monotonic()

    def _drain(self, source: int, take: Callable[[bytes], None]) -> bool:
        """Read what there is; False at the end."""
        while True:
            try:
                data = os.read(source, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            take(data)

    def _hear(self, data: bytes) -> None:
        if self._why is not None:
            return
        *whole, rest = (bytes(self._partial) + data).split(b"\n")
        self._partial = bytearray(rest)
        with self._changed:
            self._lines.extend(whole)
            flood = len(self._lines) > _UNREAD_LIMIT
            self._changed.notify_all()
        if max(map(len, (*whole, rest))) >= LINE_LIMIT:
            self._spoil(f"has said more than {LINE_LIMIT:,} bytes in one line")
        elif flood:
            self._spoil(f"has said more than {_UNREAD_LIMIT} lines that nobody asked for")

    def _broken_off(self) -> str:
        return f" in the middle of a line of {len(self._partial)} bytes" if self._partial else ""

    def _spoil(self, why: str) -> None:
        """It makes no sense any more, and is not let go on."""
        with self._changed:
            self._lines.clear()
            self._finish(why)
        self._signal(signal.SIGKILL)

    def _finish(self, why: str) -> None:
        with self._changed:
            if self._why is None:
                self._why = why
            self._changed.notify_all()

    def _ended(self, otherwise: str) -> str:
        """Return how it ended, if it does within a moment: a broken pipe is seen before its status is."""
        self._keeper.join(_LAST_WORDS_S)
        return self._why or otherwise


def _piped(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - PIPE was asked for
    return pipe


def _status(code: int) -> str:
    if code >= 0:
        return f"has ended with exit status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-code}"
