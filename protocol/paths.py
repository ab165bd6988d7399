"""Where a service keeps its files, and the modes that keep others out.

Three places, each overridable by itself so that a demo, a test or a second seat never meets the user's own service:

=============  =======================================================  ==========================================
what           default                                                  override
=============  =======================================================  ==========================================
runtime        `$XDG_RUNTIME_DIR/sottovoce`, else `/dev/shm/sottovoce-UID`  `SOTTOVOCE_RUNTIME_DIR`
state          `$XDG_STATE_HOME/sottovoce`, else `~/.local/state/...`       `SOTTOVOCE_STATE_DIR`
configuration  `$XDG_CONFIG_HOME/sottovoce/config.toml`, else `~/.config/...`  `SOTTOVOCE_CONFIG`
=============  =======================================================  ==========================================
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.runtime import control_address, runtime_directory


@dataclass(frozen=True, slots=True)
class Paths:
    """Every path of one service, derived from three roots."""

    runtime: Path
    state: Path
    config: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Paths:
        """Resolve the roots as the table above says.

        Raises:
            PathError: the runtime path is too long for a unix socket.
        """
        env = os.environ if environ is None else environ
        home = Path(env.get("HOME") or Path.home())
        state = env.get("SOTTOVOCE_STATE_DIR") or Path(
            env.get("XDG_STATE_HOME") or home / ".local" / "state", "sottovoce"
        )
        config = env.get("SOTTOVOCE_CONFIG") or Path(
            env.get("XDG_CONFIG_HOME") or home / ".config", "sottovoce", "config.toml"
        )
        return cls(Path(runtime_directory(env)), Path(state).absolute(), Path(config).absolute())

    def environment(self) -> dict[str, str]:
        """Return the variables that make a child resolve the same paths."""
        return {
            "SOTTOVOCE_RUNTIME_DIR": str(self.runtime),
            "SOTTOVOCE_STATE_DIR": str(self.state),
            "SOTTOVOCE_CONFIG": str(self.config),
        }

    def ensure(self) -> Paths:
        """Create the runtime, state and log directories, 0700 and ours.

        Raises:
            PathError: one belongs to somebody else, is open to others, or cannot be made.
        """
        for path in (self.runtime, self.state, self.logs):
            private_directory(path)
        return self

    def endpoint(self, name: str) -> str:
        """Return the zmq address at which actor `name` publishes its events."""
        return f"ipc://{self.runtime / f'{name}.events'}"

    @property
    def doorbell(self) -> str:
        """The zmq address of the capture stage's per-frame hint (not an `.events`: observers need no 31 a second)."""
        return f"ipc://{self.runtime / 'ring.doorbell'}"

    @property
    def control(self) -> str:
        """The zmq address of the conductor's request socket."""
        return control_address(str(self.runtime))

    @property
    def supervisor_socket(self) -> Path:
        """Supervisord's own unix socket."""
        return self.runtime / "supervisor.sock"

    @property
    def supervisor_config(self) -> Path:
        """The generated supervisord configuration."""
        return self.runtime / "supervisord.conf"

    @property
    def logs(self) -> Path:
        """The directory of JSON-lines logs, one file a process."""
        return self.state / "log"

    def lock(self, name: str) -> Path:
        """Return the flock file of actor `name`."""
        return self.runtime / f"{name}.lock"

    @property
    def shared(self) -> Path:
        """Where mappings live: the runtime directory where that is on tmpfs, else a private folder of /dev/shm."""
        from sottovoce.shm import choose_directory

        return choose_directory(self.runtime)

    def counters(self, name: str) -> Path:
        """Return the counters page of actor `name`."""
        return self.shared / f"{name}.counters"

    @property
    def ring(self) -> Path:
        """The audio ring."""
        return self.shared / "audio.ring"

    def journal(self, *, keep: str) -> Path:
        """Return the journal's path; with `keep = "none"` it lives in memory only, beside the sockets."""
        return (self.runtime if keep == "none" else self.state) / "journal.db"


def require_ours(path: Path) -> None:
    """Check that nobody else can put sockets into directory `path`, if it is there; a client asks before it connects.

    Raises:
        PathError: it belongs to another user, or others may write into it.
    """
    try:
        info = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:  # a directory in which we may not even look is hardly ours
        raise PathError(f"{path}: cannot be used: {error.strerror}; look who made it, or choose another") from error
    if info.st_uid != os.getuid() or info.st_mode & 0o022:
        raise PathError(
            f"{path}: belongs to uid {info.st_uid} with mode {stat.S_IMODE(info.st_mode):04o}, so what listens there "
            f"may be somebody else's; look who made it, or choose another with SOTTOVOCE_RUNTIME_DIR"
        )


def private_directory(path: Path) -> None:
    """Create `path` with mode 0700 (and missing parents, by the umask) and check that it is ours alone.

    Raises:
        PathError: it is a link, not a directory, of another user, or accessible to others.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.lstat()
    except OSError as error:
        raise PathError(f"{path}: cannot be created: {error.strerror}; choose another place") from error
    if not stat.S_ISDIR(info.st_mode):
        raise PathError(f"{path}: not a directory (links are refused); remove it or choose another place")
    if info.st_uid != os.getuid():
        raise PathError(f"{path}: belongs to uid {info.st_uid}, not to you ({os.getuid()}); choose another place")
    if info.st_mode & 0o077:
        raise PathError(f"{path}: open to others (mode {stat.S_IMODE(info.st_mode):04o}); run: chmod 700 {path}")
