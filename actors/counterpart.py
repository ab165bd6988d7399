"""Watching the watchers: the conductor sees to it that the warden lives, and transform that the conductor does.

The warden watches all stages but itself. That nobody watches it costs a second at each of its deaths, in which
supervisord sleeps, and if it is stopped, no other stage that hangs is ever found. The counterpart need not find a
warden that spins: it is one loop over numbers in shared memory. If warden and conductor are stopped at the same time,
the third of the round replaces the conductor, which then replaces the warden. (Among 1,000 kills and 173 stops at
random they seem to have been stopped together once: docs/reliability.md.)
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path
from typing import Literal

import zmq

from sottovoce.actors.process import frozen
from sottovoce.shm import CountersView, ShmError


class Counterpart:
    """Follows the process that owns a counters page.

    Args:
        page: the page's path.
        poller: is woken by the process's end.
        patience: seconds for which it may be stopped.
    """

    def __init__(self, page: Path, poller: zmq.Poller, *, patience: float) -> None:
        self._page, self._poller, self._patience = page, poller, patience
        self._pid = 0
        self._pidfd: int | None = None
        self._stopped_at: float | None = None

    def look(self) -> Literal["well", "dead", "frozen"]:
        """Return what has become of it, once for each process; one that was stopped for too long is killed."""
        if self._pidfd is None:
            self._attach()
            return "well"
        if select.select([self._pidfd], (), (), 0)[0]:
            self.close()
            return "dead"
        if not frozen(self._pid):
            self._stopped_at = None
        elif self._stopped_at is None:
            self._stopped_at = time.monotonic()
        elif time.monotonic() - self._stopped_at >= self._patience:
            self._stopped_at = None
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            return "frozen"
        return "well"

    def _attach(self) -> None:
        with contextlib.suppress(ShmError, ProcessLookupError), CountersView.attach(self._page) as view:
            pidfd = os.pidfd_open(view.pid)
            if not view.alive:  # a page that a killed process left behind
                os.close(pidfd)
                return
            self._pid, self._pidfd, self._stopped_at = view.pid, pidfd, None
            self._poller.register(pidfd, zmq.POLLIN)

    def close(self) -> None:
        """Follow it no longer."""
        if self._pidfd is not None:
            self._poller.unregister(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
