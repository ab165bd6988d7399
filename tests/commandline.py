"""`sottovoce` in forks of one process that has imported it: to start Python for each command takes most of its time.

What is left out is the start of the interpreter and which modules a command imports; tests/ops/test_entry.py and
tests/ops/test_cli.py have those. All else is the command's own: arguments, environment, standard streams, its end.
Measured here, `sottovoce corrections list` takes 0.28 s by itself and 0.04 s so.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import typer

from sottovoce.actors.transform.common import lexicon

# What the commands import when they are called. None of these looks at the environment as it is imported.
_MODULES: Final = (
    "csv",
    "numpy",
    "rich.console",
    "rich.markdown",
    "sottovoce.actors.focus",
    "sottovoce.actors.transform.corrections",
    "sottovoce.actors.transform.learned",
    "sottovoce.actors.transform.transformer",
    "sottovoce.models.fit",
    "sottovoce.models.measurements",
    "sottovoce.models.quarantine",
    "sottovoce.models.store",
    "sottovoce.ops.cli",
    "sottovoce.ops.edits",
    "sottovoce.ops.history",
    "sottovoce.ops.logs",
    "sottovoce.ops.service",
    "sottovoce.ops.settings",
    "sottovoce.protocol.control",
    "sottovoce.protocol.corrections_file",
    "sottovoce.protocol.journal",
    "sottovoce.protocol.modes",
    "typer._adapters",
    "zipfile",
    "zoneinfo",
)
_LIMIT_S: Final = 120.0
_LONGEST: Final = 1 << 17


class CommandLine:
    """Runs commands, one after the other."""

    def __init__(self) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            command = [sys.executable, __file__, str(other.fileno())]
            self._server = subprocess.Popen(command, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL)

    def run(
        self, *arguments: str | Path, environ: Mapping[str, str], answer: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `sottovoce` with `answer`, of 64 KiB at most, on its standard input, and return what became of it."""
        command = list(map(str, arguments))
        pipes = [os.pipe() for _ in range(3)]
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = pipes
        request = json.dumps({"arguments": command, "environ": dict(environ), "cwd": str(Path.cwd())})
        socket.send_fds(self._socket, [request.encode()], [their_in, their_out, their_err])
        for fd in (their_in, their_out, their_err):
            os.close(fd)
        os.write(our_in, answer)
        os.close(our_in)
        pid = int(self._socket.recv(100))
        read = _read([our_out, our_err], time.monotonic() + _LIMIT_S)
        if read is None:
            os.kill(pid, signal.SIGKILL)
        code = int(self._socket.recv(100))
        if read is None:
            raise subprocess.TimeoutExpired(["sottovoce", *command], _LIMIT_S)
        return subprocess.CompletedProcess(["sottovoce", *command], code, *read)

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._server.wait()


def _read(fds: list[int], until: float) -> list[bytes] | None:
    """Read to the end of each and close it; None if that has not come by `until`."""
    parts: dict[int, list[bytes]] = {fd: [] for fd in fds}
    with selectors.DefaultSelector() as selector:
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        try:
            while selector.get_map():
                ready = selector.select(until - time.monotonic())
                if not ready:
                    return None
                for key, _ in ready:
                    part = os.read(key.fd, 1 << 16)
                    parts[key.fd].append(part)
                    if not part:
                        selector.unregister(key.fd)
        finally:
            for fd in fds:
                os.close(fd)
    return [b"".join(part) for part in parts.values()]


def _serve(connection: socket.socket) -> None:
    """Fork for each request; the fork returns, and all others end with the other side of the connection."""
    for module in _MODULES:
        importlib.import_module(module)
    lexicon("en")  # 0.2 s of each command that learns
    cli: Any = sys.modules["sottovoce.ops.cli"]
    cli.app = typer.main.get_command(cli.app)  # which takes 0.04 s
    gc.freeze()
    while True:
        request, fds, *_ = socket.recv_fds(connection, _LONGEST, 3)
        if not request:
            sys.exit(0)
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(json.loads(request), fds)
        for fd in fds:
            os.close(fd)
        connection.send(str(pid).encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection.send(str(code).encode())


def _become(request: dict[str, Any], fds: list[int]) -> NoReturn:
    """Be the command."""
    from sottovoce.ops.entry import main

    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = ["sottovoce", *request["arguments"]]
    main()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
