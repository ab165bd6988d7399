"""The push-to-talk key: whether it is down, told by edges that may come late, twice, or in the wrong order.

Each edge is a process of its own (`sottovoce ptt down`, `sottovoce ptt up`), started by a key and racing with the
others; a held key repeats its press some 25 times a second. To count edges, or to take the last that arrived, would
invert the key for good after one that was lost or overtaken. So each edge bears the time at which it was made
(CLOCK_MONOTONIC, the same for all processes), and what is kept of all of them is the newest press and the newest
release. The key is down if the press is the newer one. Both only grow, so the order and the number in which edges
arrive make no difference to what is known in the end: a last-writer-wins register of one bit (Shapiro et al., A
comprehensive study of convergent and commutative replicated data types, 2011, section 3.2.1). At equal times the
release wins: a recording that is off by mistake is seen at once, one that is on by mistake is not.

A repeat is no press: a recording that was ended while the key is down (cancelled, or by the limit) does not begin again
by itself. A press that comes later than a repeat can is one whose release was lost.

The two times outlive the conductor in a small file in the runtime directory, where they die with the boot that they
belong to. They are no wish, and would wake every stage 25 times a second if they were in the journal, where the wish
is: a recording begun by a press bears the time of that press (`actors.sources`).
"""

from __future__ import annotations

from pathlib import Path

from sottovoce.actors.log import get_logger
from sottovoce.protocol.clocks import boot_id

REPEAT_NS = 1_500_000_000
"""Longest time between a press and its first repeat: desktops let people set 0.15 to 1 s, and repeat faster after."""


class Key:
    """See the head of this file.

    Args:
        path: where its state is kept; not there, of another boot, or damaged: nothing was ever pressed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.pressed_ns, self.released_ns = _load(path)

    @property
    def down(self) -> bool:
        """Whether it is held."""
        return self.pressed_ns > self.released_ns

    def is_press(self, at_ns: int) -> bool:
        """Tell whether an edge made at `at_ns` (CLOCK_MONOTONIC) is a press: no repeat, and not released since."""
        return at_ns > (self.pressed_ns + REPEAT_NS if self.down else self.released_ns)

    def press(self, at_ns: int) -> None:
        """Take in that it was down at `at_ns`."""
        self._know(max(self.pressed_ns, at_ns), self.released_ns)

    def release(self, at_ns: int) -> None:
        """Take in that it went up at `at_ns`."""
        self._know(self.pressed_ns, max(self.released_ns, at_ns))

    def _know(self, pressed_ns: int, released_ns: int) -> None:
        if (pressed_ns, released_ns) == (self.pressed_ns, self.released_ns):
            return
        self.pressed_ns, self.released_ns = pressed_ns, released_ns
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.write_text(f"{boot_id()} {pressed_ns} {released_ns}\n")
            new.replace(self._path)
        except OSError as error:  # it is known here, and forgotten only if this process dies before there is room
            get_logger().warning("key", error=str(error))


def _load(path: Path) -> tuple[int, int]:
    try:
        boot, pressed, released = path.read_text(errors="replace").split()
        return (int(pressed), int(released)) if boot == boot_id() else (0, 0)
    except FileNotFoundError:
        return 0, 0
    except (OSError, ValueError) as error:
        get_logger().warning("key", error=f"{path}: {error}; taken for released")
        return 0, 0
