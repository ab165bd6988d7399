"""`sottovoce models probe`, `release` and `devices`, as one types them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from trials import REAL, deadly, home
from typer.testing import CliRunner

from sottovoce.models import Store
from sottovoce.models.exceptions import UnknownModel
from sottovoce.models.measurements import last_probe
from sottovoce.models.quarantine import Quarantine
from sottovoce.ops.cli import app
from sottovoce.ops.cli_probe import show
from sottovoce.ops.exceptions import EXIT_CONFIGURATION, EXIT_FAILED, exit_code


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A cache with the real model and one that kills its process, both in the user's catalogue."""
    return home(tmp_path, monkeypatch, deadly("deadly"))


def test_a_model_that_works(installed: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has a line for each number of threads, what is to be set, and what was heard; JSON has all of it."""
    result = CliRunner().invoke(app, ["models", "probe", REAL, "--threads", "1", "--json"])
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    report = json.loads(result.stdout)
    assert (report["passed"], report["threads"], report["model"]) == (True, 1, REAL)
    (run,) = report["runs"]
    assert run["rtf"] == pytest.approx(run["decode_s"] / run["audio_s"])
    assert (installed.root / "probes" / f"{REAL}.json").exists()
    found = last_probe(REAL, installed)
    assert found is not None
    show(found)
    page = capsys.readouterr().out
    assert page.splitlines()[2].split()[0] == "1"
    assert "threads = 1 suits it" in page
    assert "Ever tried" in page


def test_a_model_that_kills(installed: Store) -> None:
    """It fails with what the model did, its last words and what follows; `release` lets it be used again, once."""
    result = CliRunner().invoke(app, ["models", "probe", "deadly"])
    assert result.exit_code == EXIT_FAILED
    assert "with 1 thread ..." in result.stderr
    assert "with 1 thread it ended its process " in result.stdout
    assert "while it loaded; it is in quarantine: pull it again, or choose another model\n  " in result.stdout
    entry = installed.catalogue["deadly"]
    quarantine = Quarantine(installed.root)
    assert quarantine.get(entry, installed.path("deadly")) is not None
    assert CliRunner().invoke(app, ["models", "release", "deadly"]).stdout == "deadly: released\n"
    assert quarantine.get(entry, installed.path("deadly")) is None
    assert CliRunner().invoke(app, ["models", "release", "deadly"]).stdout == "deadly is not in quarantine\n"
    error = CliRunner().invoke(app, ["models", "release", "deadlier"]).exception
    assert isinstance(error, UnknownModel)
    assert exit_code(error) == EXIT_CONFIGURATION


def test_the_machine() -> None:
    """A line each for processor, memory, cards and ONNX Runtime; JSON has the same in bytes."""
    result = CliRunner().invoke(app, ["models", "devices"])
    titles = [line.split("  ")[0].split(" 0")[0] for line in result.stdout.splitlines()]
    assert titles[:2] == ["processor", "memory"]
    assert titles[-1] == "ONNX Runtime"
    report = json.loads(CliRunner().invoke(app, ["models", "devices", "--json"]).stdout)
    assert report["ram"]["total"] > report["ram"]["free"] > 0
    assert "CPUExecutionProvider" in report["providers"]
    assert msgspec.json.encode(report)
