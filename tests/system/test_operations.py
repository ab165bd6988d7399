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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
from stages import wait_until

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops import service
from sottovoce.protocol.clocks import SAMPLE_RATE
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

    def stages(self) -> dict[str, Any]:
        """Return what `sottovoce status` tells of each stage, without starting a command for it."""
        stages: Any = service.status(self.paths)["stages"]
        return dict(stages)

    @contextlib.contextmanager
    def up(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Run `sottovoce up` in the foreground; the process, and what it had said when the service was ready."""
        up = subprocess.Popen(
            [BIN / "sottovoce", "up"],
            env={**os.environ, **self.paths.environment()},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert up.stderr is not None
            said = ""
            while "ready" not in said:
                line = up.stderr.readline()
                assert line, said
                said += line
            yield up, said
        finally:
            up.kill()
            up.communicate()


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
    if service.running(machine.paths) is None:
        machine.run("up", "--detach")
    return machine


@pytest.fixture
def stopped(machine: Machine) -> Machine:
    """The same, with no service."""
    if service.running(machine.paths) is not None:
        machine.run("down")
    return machine


def gone(pids: list[int]) -> bool:
    """Tell whether none of these processes is there."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_foreground_service_ends_in_order(stopped: Machine) -> None:
    """`up` without --detach, over a journal that is no database: that is kept and named; SIGINT ends all in order."""
    assert "does not answer" in stopped.run("status", code=3)
    journal = stopped.paths.journal(keep="30d")
    journal.touch(0o600)
    journal.write_bytes(b"this is no journal" * 100)
    with stopped.up() as (up, said):
        aside = [path for path in stopped.paths.state.iterdir() if "damaged" in path.name]
        assert len(aside) == 1
        assert f"is kept as {aside[0]}" in said
        assert aside[0].read_bytes().startswith(b"this is no journal")
        assert service.status(stopped.paths)["state"] == "idle"
        pids = [stage["pid"] for stage in stopped.stages().values()]
        up.send_signal(signal.SIGINT)
        up.wait(60)
    wait_until(lambda: gone(pids), 60)
    assert list(stopped.paths.runtime.iterdir()) == []


def test_a_foreground_service_is_killed_with_its_terminal(stopped: Machine) -> None:
    """SIGKILL of `up` takes the whole service along; what it left is no obstacle to the next, which is ready at once.

    `up --detach` returns with all stages ready.
    """
    with stopped.up() as (up, _):
        pids = [stage["pid"] for stage in stopped.stages().values()]
        up.kill()
    # By itself supervisord looks at its children once a second, at one stage after the other; `running` calls it.
    wait_until(lambda: service.running(stopped.paths) is None and gone(pids), 60)
    assert "ready in" in stopped.run("up", "--detach")
    report = json.loads(stopped.run("status", "--json"))
    assert report["state"] == "idle"
    assert {stage["state"] for stage in report["stages"].values()} == {"running"}
    assert len(report["stages"]) == 8


def test_a_second_service_is_refused(running: Machine) -> None:
    """`up` where one runs says so, starts nothing, and does the running one no harm."""
    before = running.stages()
    assert "runs already" in running.run("up", "--detach", code=1)
    assert {name: stage["pid"] for name, stage in running.stages().items()} == {
        name: stage["pid"] for name, stage in before.items()
    }


def test_supervisorctl_works_on_the_generated_configuration(running: Machine) -> None:
    """The stock supervisorctl lists the stages and restarts one."""
    config = str(running.paths.supervisor_config)
    assert running.run("-c", config, "status", program="supervisorctl").count("RUNNING") == 8
    before = running.stages()["transform"]["pid"]
    assert "transform: started" in running.run("-c", config, "restart", "transform", program="supervisorctl")
    assert running.stages()["transform"]["pid"] != before
    running.run("restart", "vad")


def test_bench_live_survives_a_killed_recogniser(running: Machine, beckett: Path) -> None:
    """`kill -9` of the final recogniser during `bench live`: the text still comes, once, with a line an event."""
    wait_until(lambda: {stage["state"] for stage in running.stages().values()} == {"running"}, 60)
    typed = running.home / "typed.txt"
    typed.unlink(missing_ok=True)
    recording, events = running.home / "recording.wav", running.home / "events.jsonl"
    soundfile.write(recording, decode_file(beckett)[: round(6.2 * SAMPLE_RATE)], SAMPLE_RATE)  # eight words
    bench = subprocess.Popen(
        [BIN / "sottovoce", "bench", "live", recording, "--events", events, "--json"],
        env={**os.environ, **running.paths.environment()},
        stdout=subprocess.PIPE,
    )
    wait_until(lambda: events.exists() and b'"draft"' in events.read_bytes(), 60)
    os.kill(running.stages()["stt-final"]["pid"], signal.SIGKILL)
    out, _ = bench.communicate(timeout=120)
    assert bench.returncode == 0
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"draft", "final", "typed"}
    assert "".join(line["text"] for line in lines if line["kind"] == "typed") == typed.read_text()
    assert json.loads(out)["typed"] == sum(line["kind"] == "typed" for line in lines)
    assert typed.read_text().lower().count("ever tried") == 1
    assert len(typed.read_text().split()) == 8
    assert all(0 <= line["t"] < 60 for line in lines)


def test_no_dictated_word_is_in_a_log(running: Machine) -> None:
    """After dictation, the logs know of segments and models, and hold none of the words."""
    logs = b"".join(path.read_bytes() for path in running.paths.logs.iterdir()).lower()
    assert b"segment" in logs
    for word in (b"tried", b"matter", b"again"):
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
    assert service.status(running.paths)["state"] == "idle"


def test_a_stage_that_keeps_dying_is_parked(running: Machine) -> None:
    """One death too many: the warden parks the stage, tells the person what to do, and the rest goes on."""
    killed = 0

    def parked() -> bool:
        nonlocal killed
        stage = running.stages()["transform"]
        if stage["pid"] not in (0, killed):
            killed = stage["pid"]
            with contextlib.suppress(ProcessLookupError):  # the warden was faster
                os.kill(killed, signal.SIGKILL)  # often before it has so much as a page
        return bool(stage["state"] == "stopped")

    wait_until(parked, 120)
    assert "sottovoce restart transform" in running.run("logs", "warden")
    assert running.stages()["vad"]["state"] == "running"
    assert running.run("restart", "transform") == "transform restarted\n"
    wait_until(lambda: running.stages()["transform"]["state"] == "running", 60)


def test_down_ends_all(running: Machine) -> None:
    """`down` ends every stage and leaves no socket, ring or lock; once more, it says that nothing runs."""
    pids = [stage["pid"] for stage in running.stages().values()]
    assert running.run("down") == "stopped\n"
    assert gone(pids)
    assert list(running.paths.runtime.iterdir()) == []
    assert running.run("down") == "the service does not run\n"


def test_a_missing_model_is_named(stopped: Machine) -> None:
    """A configuration that names an unknown model stops `up` before anything is started, with exit code 5."""
    good = stopped.paths.config.read_text()
    stopped.paths.config.write_text(good + '[stt.final]\nmodel = "no-such-model"\n')
    try:
        assert "no-such-model" in stopped.run("up", "--detach", code=5)
        assert list(stopped.paths.runtime.iterdir()) == []
    finally:
        stopped.paths.config.write_text(good)


def test_a_journal_of_a_newer_version_is_left_alone(stopped: Machine) -> None:
    """A journal that a newer version wrote stops `up` at once with what to do, and is not touched."""
    journal = stopped.paths.journal(keep="30d")
    Journal(journal).close()
    with contextlib.closing(sqlite3.connect(journal)) as database:
        database.execute("PRAGMA user_version = 99")
    assert "newer sottovoce" in stopped.run("up", "--detach", code=1)
    with contextlib.closing(sqlite3.connect(journal)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def test_a_state_directory_that_is_open_to_others_is_named(stopped: Machine) -> None:
    """Where the state directory is open to others, `up` refuses it by name and says what to run."""
    stopped.paths.state.chmod(0o755)
    try:
        assert f"chmod 700 {stopped.paths.state}" in stopped.run("up", "--detach", code=5)
    finally:
        stopped.paths.state.chmod(0o700)
