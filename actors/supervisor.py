"""The little that is asked of supervisord: shut down, restart or park a stage, tell how all are."""

from __future__ import annotations

import xmlrpc.client
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from sottovoce.actors.exceptions import EXIT_UNMENDABLE, ActorError

_PATIENCE_S = 1.0
"""For an answer, which takes a millisecond; a supervisord that is stopped never gives one."""
_STOP_PATIENCE_S = 12.0  # `stopwaitsecs`, 5 s, a kill, and the second in which it looks


class SupervisorUnreachable(ActorError):
    """No supervisord answers at the socket."""


class Supervisor:
    """A client of supervisord's XML-RPC interface over its unix socket.

    Args:
        path: the socket, `Paths.supervisor_socket`.
    """

    def __init__(self, path: Path) -> None:
        from supervisor.xmlrpc import SupervisorTransport, UnixStreamHTTPConnection

        class Connection(UnixStreamHTTPConnection):  # type: ignore[misc] # supervisor has no types
            def connect(connection) -> None:  # noqa: N805 - self is the Supervisor
                super().connect()
                connection.sock.settimeout(self._patience)

        def connect() -> Connection:
            connection = Connection("localhost")
            connection.socketfile = str(path)
            return connection

        self._path, self._patience = path, _PATIENCE_S
        transport = SupervisorTransport(None, None, f"unix://{path}")
        transport._get_connection = connect  # it has no timeout of its own
        self._proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)

    def _call(self, method: str, *args: Any, patience: float = _PATIENCE_S) -> Any:
        """Call `supervisor.<method>`, and wait so many seconds for the answer.

        Raises:
            SupervisorUnreachable: nobody answers.
            ActorError: supervisord refused; the text is its own.
        """
        self._patience = patience
        try:
            with self._proxy as proxy:  # a connection a call: supervisord closes idle ones at its leisure
                return getattr(proxy.supervisor, method)(*args)
        except xmlrpc.client.Fault as fault:
            raise ActorError(f"supervisord refused {method}{args}: {fault.faultString}") from fault
        except (OSError, xmlrpc.client.Error, ExpatError) as error:
            raise SupervisorUnreachable(
                f"no supervisord answers at {self._path}; start the service with `sottovoce up`"
            ) from error

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return supervisord's account of each stage: statename, pid, start, exitstatus, spawnerr ..."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def restart(self, stage: str) -> None:
        """Stop a stage if it runs, and start it; returns when it has been started."""
        if self.processes().get(stage, {}).get("statename") in ("RUNNING", "STARTING", "BACKOFF"):
            self._call("stopProcess", stage, patience=_STOP_PATIENCE_S)
        self.start(stage)

    def start(self, stage: str) -> None:
        """Start a stage that has ended; returns at once."""
        self._call("startProcess", stage, False)

    def park(self, stage: str) -> bool:
        """Stop a stage and leave it stopped; False if it is between two lives: only the next can be stopped."""
        try:
            self._call("stopProcess", stage, False)
        except SupervisorUnreachable:
            raise
        except ActorError:
            info = self.processes()[stage]
            return info["statename"] in ("STOPPED", "STOPPING", "FATAL") or info["exitstatus"] == EXIT_UNMENDABLE
        return True

    def wake(self) -> None:
        """Make supervisord look at its children now; by itself it may sleep for a second."""
        try:
            self._call("getState")
        except SupervisorUnreachable:
            raise
        except ActorError:
            return  # refused, since it is shutting down; that woke it as well

    def shutdown(self) -> None:
        """End the service; returns at once."""
        self._call("shutdown")
