"""A model that keeps killing the recogniser: it is replaced, put away, and stays away until it has passed a trial."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from stages import wait_until
from trials import deadly, home, sound

from sottovoce.actors import fallback
from sottovoce.actors.supervisor import Supervisor
from sottovoce.models.exceptions import Quarantined
from sottovoce.models.probe import probe
from sottovoce.models.quarantine import Quarantine
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.journal import Journal

LIMIT_S = 60.0


def dictate(service: PrivateService, audio: Path) -> set[tuple[str, str | None]]:
    """Record a file as fast as it goes, and return what became of its utterances, and by which models."""
    list(feed(service.paths, audio, pace=0))
    journal = Journal(service.paths.journal(keep="30d"))
    newest = journal.recording()
    assert newest is not None
    rows = journal.utterances(generation=newest.generation)
    journal.close()
    return {(row.state, row.model) for row in rows}


def count(service: PrivateService, stage: str) -> int:
    """Count how often a stage has told of the fallback."""
    return (service.paths.logs / f"{stage}.jsonl").read_text().count('"code":"fallback"')


def test_a_model_that_keeps_killing(beckett: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback takes over, says so and types, also after restarts of the recogniser and of the warden.

    The model is in quarantine; who asks for it again is told so, and costs no death.
    """
    store = home(tmp_path, monkeypatch, deadly("deadly"), sound("innocent"))
    config = '[stt.final]\nmodel = "deadly"\n[stt.draft]\nenabled = false\n[warden]\nrestarts = 1\nwindow = 60\n'
    with private_service(config=config) as service:
        log = (service.paths.logs / "warden.jsonl").read_text()
        assert "moonshine-tiny-en recognises what is typed in the place of deadly, with which stt-final died" in log
        assert "sottovoce restart stt-final" in log
        assert "deadly is in quarantine; `sottovoce models probe deadly` tries it by itself" in log
        with pytest.raises(Quarantined, match="stt-final died more than 1 times in 60 s with it"):
            Quarantine(store.root).require(store.catalogue["deadly"], store.path("deadly"))
        assert dictate(service, beckett) == {("typed", "moonshine-tiny-en")}
        told = [count(service, stage) for stage in ("stt-final", "warden")]
        supervisor = Supervisor(service.paths.supervisor_socket)
        for stage in ("stt-final", "warden"):
            pid = supervisor.processes()[stage]["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: supervisor.processes()[stage]["pid"] not in (0, pid), LIMIT_S)  # noqa: B023 - called here
        assert dictate(service, beckett) == {("typed", "moonshine-tiny-en")}
        assert [count(service, stage) for stage in ("stt-final", "warden")] == told
        own = service.paths.logs / "stt-final.jsonl"
        before = len(own.read_text())
        fallback.forget(service.paths)
        supervisor.restart("stt-final")
        wait_until(lambda: "which cannot be used (model deadly is in quarantine" in own.read_text()[before:], LIMIT_S)
        assert count(service, "stt-final") == told[0] + 1
    assert probe("deadly", store=store, threads=[1]).runs[0].outcome == "died"
    Quarantine(store.root).require(store.catalogue["innocent"], store.path("innocent"))
