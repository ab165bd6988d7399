"""Where a service's sockets are: all that a command behind a key must know of `protocol.paths`.

It has no pathlib and no dataclass: to load those takes 6-9 ms of the 45 that pass until `sottovoce ptt up` is heard.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sottovoce.protocol.exceptions import PathError

# sockaddr_un.sun_path holds 108 bytes with its final NUL (unix(7)); zmq fails late and unclearly beyond it.
SUN_PATH_MAX = 107
_LONGEST_SOCKET = "/stt-final.events"


def runtime_directory(environ: Mapping[str, str] | None = None) -> str:
    """Return the absolute path of the runtime directory, as the table in `protocol.paths` says.

    Raises:
        PathError: it is too long for a unix socket.
    """
    env = os.environ if environ is None else environ
    xdg = env.get("XDG_RUNTIME_DIR")
    runtime = env.get("SOTTOVOCE_RUNTIME_DIR") or (
        f"{xdg}/sottovoce" if xdg else f"/dev/shm/sottovoce-{os.getuid()}"  # noqa: S108 - private_directory() checks it
    )
    if not runtime.startswith("/"):
        runtime = f"{os.getcwd()}/{runtime}"  # noqa: PTH109 - see above
    if len(os.fsencode(runtime)) + len(_LONGEST_SOCKET) > SUN_PATH_MAX:
        raise PathError(
            f"{runtime}: too long for a unix socket ({SUN_PATH_MAX} bytes with the socket's name); "
            "set SOTTOVOCE_RUNTIME_DIR to a shorter path"
        )
    return runtime


def control_address(runtime: str | None = None) -> str:
    """Return the zmq address of the conductor's request socket.

    Args:
        runtime: the runtime directory, by default that of the environment.

    Raises:
        PathError: as of `runtime_directory`.
    """
    return f"ipc://{runtime or runtime_directory()}/control"
