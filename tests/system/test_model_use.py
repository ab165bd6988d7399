"""Another model while the service runs: no word is lost, and one that is no use goes by itself."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stages import wait_until

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol import choice as choices
from sottovoce.protocol.control import request
from sottovoce.protocol.journal import Journal


@pytest.fixture(scope="module")
def service(twin: None) -> Iterator[PrivateService]:
    """A service that also knows `twin` and `deadly`; all tests share it, and leave it with the models configured."""
    with private_service(config="[stt.draft]\nthreads = 1\n") as running:  # then a probe tries that one number
        yield running


def use(service: PrivateService, *arguments: str, code: int = 0) -> str:
    """Run `sottovoce model use`; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "sottovoce.ops.entry", "model", *arguments],
        env=os.environ | service.paths.environment(), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def models_of(service: PrivateService) -> list[str | None]:
    """Return the model of each utterance of the newest recording."""
    journal = Journal(service.paths.journal(keep="30d"))
    newest = journal.recording()
    rows = journal.utterances(generation=newest.generation) if newest else []
    journal.close()
    return [row.model for row in rows]


def test_what_cannot_be_used_is_refused_at_once(service: PrivateService) -> None:
    """A model that is not known, no recogniser, or found by a probe to end its process, changes nothing."""
    assert "deadly is no use here" in use(service, "use", "deadly", code=1)
    assert "did you mean twin" in use(service, "use", "twim", code=5)
    assert "does not recognise speech" in use(service, "use", "silero-v6", code=1)
    assert json.loads(use(service, "show", "--json"))["final"]["chosen"] is None
    assert request(service.paths.control, "status")["state"] == "idle"


def test_it_changes_between_two_utterances(service: PrivateService, beckett: Path) -> None:
    """While somebody speaks, the model is changed: every word is typed once, the last ones by the new model."""
    events = feed(service.paths, beckett, pace=1.0)
    for event in events:
        if event.topic == "inject.typed":
            assert "stt-final uses twin" in use(service, "use", "twin", "--no-probe")
            break
    for _ in events:
        pass
    assert len(re.findall(r"\w+", service.text())) == 12
    models = models_of(service)
    assert models[0] == "moonshine-tiny-en"
    assert models[-1] == "twin"
    assert json.loads(use(service, "show", "--json"))["final"]["state"] in ("trial", "kept")
    assert "moonshine-tiny-en" in use(service, "use", "--default", "--no-probe")


def test_a_model_that_ends_the_process_goes_by_itself(service: PrivateService, opening: Path) -> None:
    """The engine ends the stage over it; the stage comes back with the model before, and dictation goes on."""
    before = service.text()
    said = use(service, "use", "deadly", "--no-probe", code=1)
    assert "stt-final goes on with moonshine-tiny-en" in said
    for _ in feed(service.paths, opening, pace=0):
        pass
    assert len(re.findall(r"\w+", service.text().removeprefix(before))) == 4
    assert set(models_of(service)) == {"moonshine-tiny-en"}


def test_who_dies_within_the_minute_has_the_old_one_again(service: PrivateService) -> None:
    """A stage that is killed soon after the change goes back; the person can see why."""
    use(service, "use", "twin", "--role", "draft")
    supervisor = Supervisor(service.paths.supervisor_socket)
    killed = int(supervisor.processes()["stt-draft"]["pid"])
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: (chosen := choices.read(service.paths, "draft")) and chosen.state == "refused", 60)
    shown = json.loads(use(service, "show", "--json"))["draft"]
    assert shown["state"] == "refused"
    assert shown["model"] == "moonshine-tiny-en"
    assert "died with it" in shown["reason"]
