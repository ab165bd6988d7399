"""Operating the service from the command line, as a person does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stages import wait_until

from sottovoce.protocol.database import SCHEMA_VERSION
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

BIN = Path(sys.executable).parent


@dataclass
class Machine:
    """A home of its own, and the commands run in it."""

    home: Path
    paths: Paths

    def run(self, *arguments: str, program: str = "sottovoce", code: int = 0) -> str:
        """Run a command, check its exit code, and return what it printed, errors included."""
        done = subprocess.run(
            [BIN / program, *arguments],
            env={**os.environ, **self.paths.environment()},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def status(self) -> dict[str, Any]:
        """Return `sottovoce status --json`."""
        report: dict[str, Any] = json.loads(self.run("status", "--json"))
        return report


@pytest.fixture(scope="module")
def machine(beckett: Path) -> Iterator[Machine]:
    """A place where a service can be started, and is ended after the tests."""
    home = Path(tempfile.mkdtemp(prefix="sv-", dir="/dev/shm"))
    paths = Paths(home / "run", home / "state", home / "config.toml").ensure()
    paths.config.write_text(
        f'[inject]\nbackends = ["file"]\nfile = "{home}/typed.txt"\n[warden]\nrestarts = 3\nwindow = 120\n'
    )
    machine = Machine(home, paths)
    try:
        yield machine
    finally:
        machine.run("down", "--limit", "0")
        shutil.rmtree(home)


@pytest.fixture
def running(machine: Machine) -> Machine:
    """The same, with the service running."""
    if not paths_answer(machine):
        machine.run("up", "--detach")
    return machine


def paths_answer(machine: Machine) -> bool:
    """Tell whether a service answers there."""
    done = subprocess.run(
        [BIN / "sottovoce", "status"],
        env={**os.environ, **machine.paths.environment()},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_up_status_down(machine: Machine) -> None:
    """`up --detach` returns with all stages ready; `down` ends them all and leaves no socket, ring or lock."""
    assert "does not answer" in machine.run("status", code=3)
    assert "ready in" in machine.run("up", "--detach")
    report = machine.status()
    assert report["state"] == "idle"
    assert {stage["state"] for stage in report["stages"].values()} == {"running"}
    assert len(report["stages"]) == 8
    pids = [stage["pid"] for stage in report["stages"].values()]
    assert machine.run("down") == "stopped\n"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list(machine.paths.runtime.iterdir()) == []
    assert machine.run("down") == "the service does not run\n"


def test_a_second_service_is_refused(running: Machine) -> None:
    """`up` where one runs says so, starts nothing, and does the running one no harm."""
    before = running.status()["stages"]
    assert "runs already" in running.run("up", "--detach", code=1)
    assert {name: stage["pid"] for name, stage in running.status()["stages"].items()} == {
        name: stage["pid"] for name, stage in before.items()
    }


def test_supervisorctl_works_on_the_generated_configuration(running: Machine) -> None:
    """The stock supervisorctl lists the stages and restarts one."""
    config = str(running.paths.supervisor_config)
    assert running.run("-c", config, "status", program="supervisorctl").count("RUNNING") == 8
    before = running.status()["stages"]["transform"]["pid"]
    assert "transform: started" in running.run("-c", config, "restart", "transform", program="supervisorctl")
    assert running.status()["stages"]["transform"]["pid"] != before
    running.run("restart", "vad")


def test_bench_live_survives_a_killed_recogniser(running: Machine, beckett: Path) -> None:
    """`kill -9` of the final recogniser during `bench live`: the text still comes, once, with a line an event."""
    wait_until(lambda: "stt-final" in running.status()["stages"], 5)
    typed = running.home / "typed.txt"
    typed.unlink(missing_ok=True)
    events = running.home / "events.jsonl"
    bench = subprocess.Popen(
        [BIN / "sottovoce", "bench", "live", beckett, "--events", events, "--json"],
        env={**os.environ, **running.paths.environment()},
        stdout=subprocess.PIPE,
    )
    wait_until(lambda: events.exists() and b'"draft"' in events.read_bytes(), 20)
    os.kill(running.status()["stages"]["stt-final"]["pid"], signal.SIGKILL)
    out, _ = bench.communicate(timeout=60)
    assert bench.returncode == 0
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"draft", "final", "typed"}
    assert "".join(line["text"] for line in lines if line["kind"] == "typed") == typed.read_text()
    assert json.loads(out)["typed"] == sum(line["kind"] == "typed" for line in lines)
    assert typed.read_text().lower().count("ever tried") == 1
    assert len(typed.read_text().split()) == 12
    assert all(0 <= line["t"] < 60 for line in lines)


def test_no_dictated_word_is_in_a_log(running: Machine) -> None:
    """After dictation, the logs know of segments and models, and hold none of the words."""
    logs = b"".join(path.read_bytes() for path in running.paths.logs.iterdir()).lower()
    assert b"segment" in logs
    for word in (b"tried", b"matter", b"again", b"better"):
        assert word not in logs


def test_everything_is_private(running: Machine) -> None:
    """Every file and socket of a running service is its owner's alone."""
    for root in (running.paths.runtime, running.paths.state):
        for path in (root, *root.rglob("*")):
            mode = path.stat().st_mode & 0o777
            assert mode & 0o077 == 0, path


def test_an_unreadable_recording_is_refused_at_once(running: Machine) -> None:
    """`bench live` of something that is no sound is one line and exit code 4, and the service stays idle."""
    bad = running.home / "bad.wav"
    bad.write_bytes(b"RIFF")
    said = running.run("bench", "live", str(bad), "--events", str(running.home / "e"), code=4)
    assert said.count("\n") == 1
    assert "bad.wav" in said
    assert running.status()["state"] == "idle"


def test_a_stage_that_keeps_dying_is_parked(running: Machine) -> None:
    """One death too many: the warden parks the stage, tells the person what to do, and the rest goes on."""
    killed = 0
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        stage = running.status()["stages"]["transform"]
        if stage["state"] == "stopped":
            break
        if stage["pid"] not in (0, killed):
            killed = stage["pid"]
            os.kill(killed, signal.SIGKILL)  # often before it has so much as a page
    wait_until(lambda: running.status()["stages"]["transform"]["state"] == "stopped", 10)
    assert "sottovoce restart transform" in running.run("logs", "warden")
    assert running.status()["stages"]["vad"]["state"] == "running"
    assert running.run("restart", "transform") == "transform restarted\n"
    wait_until(lambda: running.status()["stages"]["transform"]["state"] == "running", 10)


def test_a_missing_model_is_named(machine: Machine) -> None:
    """A configuration that names an unknown model stops `up` before anything is started, with exit code 5."""
    machine.run("down")
    good = machine.paths.config.read_text()
    machine.paths.config.write_text(good + '[stt.final]\nmodel = "no-such-model"\n')
    try:
        assert "no-such-model" in machine.run("up", "--detach", code=5)
        assert list(machine.paths.runtime.iterdir()) == []
    finally:
        machine.paths.config.write_text(good)


def test_a_foreground_service_ends_with_its_terminal(machine: Machine, beckett: Path) -> None:
    """`up` without --detach: SIGINT ends it in order; SIGKILL of it takes the whole service along within seconds."""
    for number in (signal.SIGINT, signal.SIGKILL):
        up = subprocess.Popen(
            [BIN / "sottovoce", "up"],
            env={**os.environ, **machine.paths.environment()},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        assert up.stderr is not None
        assert b"ready" in up.stderr.readline()
        pids = [stage["pid"] for stage in machine.status()["stages"].values()]
        up.send_signal(number)
        up.wait(20)
        up.stderr.close()
        wait_until(lambda pids=pids: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10)
    assert "ready" in machine.run("up", "--detach")  # what the killed one left is no obstacle
    machine.run("down")
    assert list(machine.paths.runtime.iterdir()) == []


def test_a_damaged_journal_is_kept_aside(machine: Machine) -> None:
    """A journal that is no database is moved aside and named, and the service begins a new one."""
    journal = machine.paths.journal(keep="30d")
    for suffix in ("-wal", "-shm"):
        journal.with_name(journal.name + suffix).unlink(missing_ok=True)
    journal.write_bytes(b"this is no journal" * 100)
    said = machine.run("up", "--detach")
    aside = [path for path in machine.paths.state.iterdir() if "damaged" in path.name]
    assert len(aside) == 1
    assert f"is kept as {aside[0]}" in said
    assert aside[0].read_bytes().startswith(b"this is no journal")
    assert machine.status()["state"] == "idle"
    machine.run("down")


def test_a_journal_of_a_newer_version_is_left_alone(machine: Machine) -> None:
    """A journal that a newer version wrote stops `up` at once with what to do, and is not touched."""
    journal = machine.paths.journal(keep="30d")
    Journal(journal).close()
    with contextlib.closing(sqlite3.connect(journal)) as database:
        database.execute("PRAGMA user_version = 99")
    assert "newer sottovoce" in machine.run("up", "--detach", code=1)
    with contextlib.closing(sqlite3.connect(journal)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def test_a_state_directory_that_is_open_to_others_is_named(machine: Machine) -> None:
    """Where the state directory is open to others, `up` refuses it by name and says what to run."""
    machine.paths.state.chmod(0o755)
    try:
        assert f"chmod 700 {machine.paths.state}" in machine.run("up", "--detach", code=5)
    finally:
        machine.paths.state.chmod(0o700)
