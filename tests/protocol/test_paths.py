"""Paths: where things are, by which variable, and who else can get at them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sottovoce.protocol.bus import STAGES
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.paths import Paths, private_directory
from sottovoce.protocol.runtime import control_address, runtime_directory

XDG = {"HOME": "/h", "XDG_RUNTIME_DIR": "/r", "XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "/c"}
OWN = {"SOTTOVOCE_RUNTIME_DIR": "/or", "SOTTOVOCE_STATE_DIR": "/os", "SOTTOVOCE_CONFIG": "/oc.toml"}


@pytest.mark.parametrize(
    ("environ", "runtime", "state", "config"),
    [
        ({"HOME": "/h"}, f"/dev/shm/sottovoce-{os.getuid()}", "/h/.local/state/sottovoce",
         "/h/.config/sottovoce/config.toml"),
        (XDG, "/r/sottovoce", "/s/sottovoce", "/c/sottovoce/config.toml"),
        (OWN, "/or", "/os", "/oc.toml"),
        (XDG | OWN, "/or", "/os", "/oc.toml"),
        (XDG | {"SOTTOVOCE_STATE_DIR": "/os"}, "/r/sottovoce", "/os", "/c/sottovoce/config.toml"),
        (dict.fromkeys([*XDG, *OWN], "") | {"HOME": "/h"}, f"/dev/shm/sottovoce-{os.getuid()}",
         "/h/.local/state/sottovoce", "/h/.config/sottovoce/config.toml"),
    ],
    ids=["home", "xdg", "own", "own beats xdg", "each by itself", "empty is unset"],
)  # fmt: skip
def test_resolution(environ: dict[str, str], runtime: str, state: str, config: str) -> None:
    """Each place is the own variable's, else XDG's, else the default; an empty variable is as good as none."""
    assert Paths.from_environment(environ) == Paths(Path(runtime), Path(state), Path(config))


def test_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the variables are those of the process; without HOME the home is the user's own."""
    for name in (*XDG, *OWN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SOTTOVOCE_RUNTIME_DIR", "/or")
    paths = Paths.from_environment()
    assert paths.runtime == Path("/or")
    assert paths.state.is_absolute()
    assert Paths.from_environment({}).state == Path.home() / ".local/state/sottovoce"


def test_relative_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative path is taken from where one is now, since the stages' working directory is another."""
    monkeypatch.chdir(tmp_path)
    paths = Paths.from_environment({"HOME": "/h", "SOTTOVOCE_RUNTIME_DIR": "run", "SOTTOVOCE_CONFIG": "c.toml"})
    assert (paths.runtime, paths.config) == (tmp_path / "run", tmp_path / "c.toml")


@pytest.mark.parametrize("runtime", ["/or", "run", "../run", "/or/"])
def test_a_command_behind_a_key_asks_where_the_service_listens(
    runtime: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The short way to the control socket leads to the same place as `Paths`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOTTOVOCE_RUNTIME_DIR", runtime)
    paths = Paths.from_environment()
    assert Path(runtime_directory()) == paths.runtime
    assert Path(control_address().removeprefix("ipc://")) == Path(paths.control.removeprefix("ipc://"))


def test_an_absolute_path_needs_no_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder in which a key's command is started may have been deleted."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert control_address("/or") == "ipc:///or/control"
    monkeypatch.setenv("SOTTOVOCE_RUNTIME_DIR", "/or")
    assert control_address() == "ipc:///or/control"


def test_children_resolve_the_same(paths: Paths) -> None:
    """The variables for a child lead it to the same paths, whatever else is set there."""
    assert Paths.from_environment(XDG | paths.environment()) == paths


def test_longest_path() -> None:
    """A runtime path that leaves room for the longest socket's name is accepted; one byte more is refused."""
    longest = max(len(f"/{name}.events") for name in STAGES)
    fits = "/" + "x" * (107 - longest - 1)
    paths = Paths.from_environment({"SOTTOVOCE_RUNTIME_DIR": fits})
    assert max(len(paths.endpoint(name).removeprefix("ipc://")) for name in STAGES) == 107
    for wrong in (fits + "x", fits[:-1] + "é"):
        with pytest.raises(PathError, match=r"too long .*SOTTOVOCE_RUNTIME_DIR"):
            Paths.from_environment({"SOTTOVOCE_RUNTIME_DIR": wrong})


def test_names(paths: Paths) -> None:
    """Sockets, locks and the generated configuration are in the runtime directory, logs in the state directory."""
    for path in (
        Path(paths.endpoint("vad").removeprefix("ipc://")), Path(paths.control.removeprefix("ipc://")),
        Path(paths.doorbell.removeprefix("ipc://")), paths.lock("vad"), paths.supervisor_socket,
        paths.supervisor_config,
    ):  # fmt: skip
        assert path.parent == paths.runtime
    assert paths.logs.parent == paths.state
    assert paths.endpoint("vad").endswith("/vad.events")
    assert not paths.doorbell.endswith(".events"), "observers connect to all of those"


def test_mappings_are_in_memory(paths: Paths) -> None:
    """The ring and the counters are in the runtime directory where that is in memory, as here."""
    assert paths.ring.parent == paths.counters("vad").parent == paths.shared == paths.runtime


def test_journal_place(paths: Paths) -> None:
    """The journal is on disk, unless nothing is to be kept: then it is beside the sockets."""
    assert paths.journal(keep="30d") == paths.journal(keep="session") == paths.state / "journal.db"
    assert paths.journal(keep="none") == paths.runtime / "journal.db"


# -- private directories -----------------------------------------------------------------------------------------------


@pytest.fixture
def loose_umask() -> Iterator[None]:
    """Take all protection away."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("loose_umask")
def test_ensure(tmp_path: Path) -> None:
    """The three directories are made with mode 0700, whatever the umask; once more is no error."""
    paths = Paths(tmp_path / "a" / "run", tmp_path / "b" / "state", tmp_path / "config.toml")
    assert paths.ensure() is paths
    for path in (paths.runtime, paths.state, paths.logs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert not paths.config.exists()
    paths.ensure()


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o750, 0o755, 0o770, 0o777, 0o1777])
def test_open_to_others(tmp_path: Path, mode: int) -> None:
    """A directory that others can list, enter or write is refused with its mode and the command that mends it."""
    path = tmp_path / "run"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(PathError, match=rf"mode {mode:04o}.*chmod 700 {path}"):
        private_directory(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode, "it is the owner's to change"


@pytest.mark.parametrize("target", ["directory", "nothing", "file"])
def test_link(tmp_path: Path, target: str) -> None:
    """A link is refused, wherever it leads: somebody else may have laid it."""
    leads = tmp_path / "target"
    if target == "directory":
        leads.mkdir(mode=0o700)
    elif target == "file":
        leads.touch()
    (tmp_path / "run").symlink_to(leads)
    with pytest.raises(PathError, match=str(tmp_path / "run")):
        private_directory(tmp_path / "run")
    assert leads.exists() is (target != "nothing")


def test_file_in_the_way(tmp_path: Path) -> None:
    """A file in the place of the directory, or of a parent, is refused."""
    (tmp_path / "run").touch()
    for path in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(PathError, match="choose another place"):
            private_directory(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away: run as root")
def test_somebody_elses(tmp_path: Path) -> None:
    """A directory of another user is refused, though its mode is right: its owner could read what comes."""
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)
    with pytest.raises(PathError, match="uid 65534"):
        private_directory(path)


def test_no_permission() -> None:
    """A place where nothing may be made, by root neither, is refused with the reason."""
    with pytest.raises(PathError, match=r"/proc/sottovoce: cannot be created: .*; choose another place"):
        private_directory(Path("/proc/sottovoce"))
