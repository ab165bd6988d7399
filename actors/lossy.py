"""Messages that are lost, come twice or come late: only where a test asks for it.

On one machine, over unix sockets, a message is lost when a process dies with a queue in it, or at a high-water mark;
both are rare, and no test can time them. In a service that was started with `SOTTOVOCE_FAILPOINTS=<folder>` (see
`actors.failpoints`) every stage therefore passes what it receives through `received`, and capture its doorbell through
`rung`, each a channel that loses a share, gives a share twice and holds a share back. How large the shares are is in
the file `messages` of that folder, which may be changed while the service runs; without that file all arrives.

Without the variable both are a function that returns its argument.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from sottovoce.actors.failpoints import VARIABLE
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.messages import Event

MESSAGES = "messages"
"""The file that says what becomes of messages: `Shares` as JSON."""
COUNTED = "counted"
"""Files that begin so count messages, one for each channel of each process: `Counts`, in order."""
_MEAN_DELAY_NS = 300_000_000  # longer than a loop sleeps, so that later messages and the journal's rows overtake it
_WIDTH = 64
T = TypeVar("T")


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of messages, as shares of all; the rest arrives, once and in order."""

    lost: float = 0.0
    doubled: float = 0.0
    """Every other second copy comes late."""
    late: float = 0.0
    """Held back for 0.3 s on average, so later ones overtake it."""
    seed: int = 0


class Counts(msgspec.Struct, kw_only=True):
    """How many messages there were."""

    passed: int = 0
    """All."""
    dropped: int = 0
    doubled: int = 0
    late: int = 0


class Channel(Generic[T]):
    """What messages go through that may be lost, doubled or late.

    Args:
        folder: of fail points.
    """

    def __init__(self, folder: Path) -> None:
        import random  # 5 ms, and no stage of a person's service needs it here

        self._random, self._folder, self._read_ns = random.Random(), folder, 0
        self._shares = Shares()
        self._held: list[tuple[int, T]] = []
        self._counts = Counts()
        self._fd: int | None = None

    def __call__(self, messages: Iterable[T]) -> Iterator[T]:
        """Yield those that arrive now, with those of earlier calls whose time has come first."""
        self._look()
        now, held = now_ns(), self._held
        self._held = [entry for entry in held if entry[0] > now]
        yield from [message for due, message in held if due <= now]
        before = self._counts.passed
        for message in messages:
            self._counts.passed += 1
            yield from self._fate(message)
        if self._counts.passed != before:
            self._note()

    def _fate(self, message: T) -> Iterator[T]:
        chance, shares = self._random.random(), self._shares
        if chance < shares.lost:
            self._counts.dropped += 1
        elif chance < shares.lost + shares.late:
            self._counts.late += 1
            self._hold(message)
        else:
            yield message
            if chance > 1 - shares.doubled:
                self._counts.doubled += 1
                if self._random.random() < 0.5:
                    self._hold(message)
                else:
                    yield message

    def _hold(self, message: T) -> None:
        self._held.append((now_ns() + int(self._random.expovariate(1 / _MEAN_DELAY_NS)), message))

    def _look(self) -> None:
        """Read the shares again if they have changed."""
        try:
            changed_ns = (self._folder / MESSAGES).stat().st_mtime_ns
        except FileNotFoundError:
            self._shares, self._read_ns = Shares(), 0
            return
        if changed_ns != self._read_ns:
            self._read_ns = changed_ns
            self._shares = msgspec.json.decode((self._folder / MESSAGES).read_bytes(), type=Shares)
            # The process id as well, or each restarted stage would lose the same of its first messages again.
            self._random.seed(f"{self._shares.seed} {os.getpid()}")

    def _note(self) -> None:
        if self._fd is None:
            path = self._folder / f"{COUNTED}.{os.getpid()}.{next(_numbers)}"
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        line = " ".join(map(str, msgspec.structs.astuple(self._counts)))
        os.pwrite(self._fd, line.encode().ljust(_WIDTH), 0)


def _as_sent(messages: Iterable[T], /) -> Iterable[T]:
    return messages


_numbers = itertools.count()
_folder = os.environ.get(VARIABLE)
received = Channel[Event](Path(_folder)) if _folder else _as_sent
"""What a stage hears of `messages`."""
rung = Channel[tuple[bytes, bytes]](Path(_folder)) if _folder else _as_sent
"""What is rung of the doorbell."""


def settle(folder: Path, shares: Shares) -> None:
    """Have the shares hold from now on in the service whose folder of fail points this is.

    Raises:
        ValueError: they are no shares of one whole.
    """
    values = (shares.lost, shares.doubled, shares.late)
    if min(values) < 0 or sum(values) > 1:
        raise ValueError(f"{shares}: shares are 0 or more each, and 1 at most together")
    partly = folder / f".{MESSAGES}"
    partly.write_bytes(msgspec.json.encode(shares))
    partly.rename(folder / MESSAGES)


def counted(folder: Path) -> Counts:
    """Return how many messages there were in all processes so far."""
    lines = [path.read_text().split() for path in folder.glob(f"{COUNTED}.*")]
    sums = [sum(map(int, column)) for column in zip(*filter(None, lines), strict=True)]
    return Counts(**dict(zip(Counts.__struct_fields__, sums, strict=False)))
