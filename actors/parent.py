"""A stopped supervisord goes on by itself.

While supervisord is stopped (SIGSTOP), its stages work on, but none that dies is replaced, and none can be asked to
end. To kill it, as a stage that is stopped is killed, would end all stages with it, and only a person or systemd would
start the service again. SIGCONT costs nothing, and with it nothing is lost. The warden sends it, and in case that it
has just died and cannot be restarted for that very reason, the conductor, after twice the time.
"""

from __future__ import annotations

import os
import signal
import time

from sottovoce.actors.process import frozen


class Parent:
    """Watches the supervisord that started this process; nobody, if it was started by hand.

    Args:
        patience: seconds for which it may be stopped.
    """

    def __init__(self, *, patience: float) -> None:
        self._pid = os.getppid() if os.environ.get("SUPERVISOR_ENABLED") else None
        self._patience = patience
        self._stopped_at: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether it was stopped when it was last looked at: then it is no use to ask it for anything."""
        return self._stopped_at is not None

    def look(self) -> str | None:
        """Let it go on if it has been stopped for too long; then return what the person is to be told."""
        if self._pid is None or not frozen(self._pid) or os.getppid() != self._pid:
            self._stopped_at = None
        elif self._stopped_at is None:
            self._stopped_at = time.monotonic()
        elif time.monotonic() - self._stopped_at >= self._patience:
            self._stopped_at = None
            os.kill(self._pid, signal.SIGCONT)  # our parent: while it is, its number is nobody else's
            return f"supervisord (process {self._pid}) was stopped and is made to go on"
        return None
