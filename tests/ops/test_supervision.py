from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from supervisor.options import ClientOptions, ServerOptions

from sottovoce.actors.exceptions import EXIT_OK, EXIT_UNMENDABLE
from sottovoce.ops.supervision import generate, stages
from sottovoce.protocol.bus import STAGES
from sottovoce.protocol.config import Config
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.paths import Paths

GOLDEN = Path(__file__).with_name("golden") / "supervisord.conf"
PATHS = Paths(Path("/run/user/1000/sottovoce"), Path("/home/u/.local/state/sottovoce"), Path("/home/u/config.toml"))


def config(text: str = "") -> Config:
    """Return the configuration that a file would give."""
    return msgspec.toml.decode(text, type=Config)


def parsed(paths: Paths, settings: Config, **python: Path) -> ServerOptions:
    """Return what supervisord itself makes of the generated configuration."""
    paths.supervisor_config.write_text(generate(paths, settings, **python))
    options = ServerOptions()
    options.realize(["-c", str(paths.supervisor_config)])
    options.process_config(do_usage=False)
    return options


def programs(options: ServerOptions) -> dict[str, Any]:
    """Return the programs by name."""
    return {group.name: group.process_configs[0] for group in options.process_group_configs}


def test_it_is_the_golden_file() -> None:
    """Whoever changes what is generated sees it, and changes tests/ops/golden/supervisord.conf with it."""
    assert generate(PATHS, config(), python=Path("/opt/sottovoce/bin/python")) == GOLDEN.read_text()


def test_supervisord_runs_every_stage(paths: Paths) -> None:
    """Each stage is a program, run by this Python, restarted after a crash only, and ended with all it has started."""
    found = programs(parsed(paths, config(), python=Path("/opt/python")))
    assert set(found) == set(STAGES)
    assert found["stt-draft"].command == "/opt/python -P -m sottovoce.actors.stt --role draft"
    assert found["vad"].command == "/opt/python -P -m sottovoce.actors.vad"
    for program in found.values():
        assert program.exitcodes == [EXIT_OK, EXIT_UNMENDABLE]
        assert program.autorestart is not True
        assert program.startsecs == 0
        assert program.stopasgroup
        assert program.killasgroup
        assert program.stdout_logfile is program.stderr_logfile is None


def test_stages_find_the_service_they_belong_to(paths: Paths) -> None:
    """The children resolve the same paths as who started supervisord, whatever their own environment would say."""
    for program in programs(parsed(paths, config())).values():
        assert Paths.from_environment({"HOME": "/", **program.environment}) == paths


def test_nothing_listens_on_the_network(paths: Paths) -> None:
    """supervisord has one unix socket, in the private directory and for its owner alone."""
    (server,) = parsed(paths, config()).server_configs
    assert server["section"] == "unix_http_server"
    assert server["file"] == str(paths.supervisor_socket)
    assert server["chmod"] == 0o600
    assert server["family"].name == "AF_UNIX"


def test_no_drafts_no_draft_process() -> None:
    """What the configuration switches off is not started."""
    assert stages(config()) == STAGES
    assert stages(config("[stt.draft]\nenabled = false\n")) == tuple(name for name in STAGES if name != "stt-draft")


def test_standard_output_is_kept_for_who_types_there(paths: Paths) -> None:
    """With the "stdout" back end the injector's output is that of `sottovoce up`, and nobody else's."""
    found = programs(parsed(paths, config('[inject]\nbackends = ["stdout"]\n')))
    assert found.pop("inject").stdout_logfile == "/dev/fd/1"
    assert {program.stdout_logfile for program in found.values()} == {None}


@pytest.mark.parametrize("name", ["My Files", "100% sure", "a%(here)s", "it's", "comma,=", "a;b#c", "back\\slash", "ß"])
def test_odd_paths_survive(paths: Paths, name: str) -> None:
    """Whatever a user's directories are called, supervisord, its client and the stages read the same paths."""
    root = paths.runtime / name
    odd = Paths(root / "r", root / "s", root / "c.toml").ensure()
    options = parsed(odd, config(), python=root / "python")
    assert options.server_configs[0]["file"] == str(odd.supervisor_socket)
    assert options.logfile == str(odd.logs / "supervisord.log")
    for program in programs(options).values():
        assert Paths.from_environment({"HOME": "/", **program.environment}) == odd
        assert shlex.split(program.command)[0] == str(root / "python")
    client = ClientOptions()
    client.realize(["-c", str(odd.supervisor_config)], doc="")
    assert client.serverurl == f"unix://{odd.supervisor_socket}"


@pytest.mark.parametrize("name", ['quo"te', "it'", "a ;b", "a #b", "a\nb"])
def test_paths_that_supervisord_cannot_be_told_are_refused(paths: Paths, name: str) -> None:
    """Its configuration has no escape for some signs; better refused by name than half a path used."""
    root = paths.runtime / name
    with pytest.raises(PathError, match=re.escape(repr(str(root)))):
        generate(Paths(root, paths.state, paths.config), config())
