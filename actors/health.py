"""What a stage looks after in itself, once a turn: its counters page, and whether it can still open anything.

Neither shows from outside. A page that somebody has overwritten or cut short would make the warden blind or kill it;
the stage knows what is to be in it, and mends it. A process without a free descriptor goes on turning, but hears of
nobody who comes back, and zmq ends it (abort) at the next connection; it says so and starts anew, with the limit that
supervisord has.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import Literal

from sottovoce.actors.exceptions import ActorError
from sottovoce.shm import CountersPage, ShmFull

_SPARE = 4  # a stage opens no more than three files at once: a page, its folder, a draft of it
_EVERY_S = 1.0
Tell = Callable[[Literal["info", "warning", "error"], str, str], None]


class DescriptorsUsedUp(ActorError):
    """The process can open no more files; another one in its place can."""


class Health:
    """Looks after one stage.

    Args:
        page: its counters.
        tell: its `notice`.
    """

    def __init__(self, page: CountersPage, tell: Tell) -> None:
        self._page, self._tell = page, tell
        self._told_full = False
        self._looked_at = float("-inf")

    def look(self) -> None:
        """Mend what can be mended.

        Raises:
            DescriptorsUsedUp: the process has to be replaced; the person has been told.
        """
        try:
            wrong = self._page.mend()
        except ShmFull as error:
            if not self._told_full:
                self._told_full = True
                self._tell("error", "full", f"the counters page cannot be put back: {error}")
            return
        self._told_full = False
        if wrong is not None:
            self._tell("warning", "counters", f"damaged by somebody else, and mended: {wrong}")
        if time.monotonic() - self._looked_at >= _EVERY_S:
            self._looked_at = time.monotonic()
            self._require_descriptors()

    def _require_descriptors(self) -> None:
        spare = []
        try:
            for _ in range(_SPARE):
                spare.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            for fd in spare:
                os.close(fd)
            spare.clear()
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            text = f"{error.strerror} (limit {limit}); the stage is replaced, check `ulimit -n` if this comes again"
            self._tell("error", "descriptors", text)
            raise DescriptorsUsedUp(text) from error
        finally:
            for fd in spare:
                os.close(fd)
