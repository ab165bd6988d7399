"""A model that keeps killing the recogniser: it is replaced, put away, and stays away until it has passed a trial."""

from __future__ import annotations

from pathlib import Path

import pytest
from stages import wait_until
from trials import deadly, home, sound

from sottovoce.actors import fallback
from sottovoce.actors.supervisor import Supervisor
from sottovoce.models.exceptions import Quarantined
from sottovoce.models.probe import probe
from sottovoce.models.quarantine import Quarantine
from sottovoce.ops.private import private_service


def test_a_model_that_keeps_killing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback takes over and the model is in quarantine; who asks for it again is told so, and costs no death."""
    store = home(tmp_path, monkeypatch, deadly("deadly"), sound("innocent"))
    config = '[stt.final]\nmodel = "deadly"\n[stt.draft]\nenabled = false\n[warden]\nrestarts = 1\nwindow = 60\n'
    with private_service(config=config) as service:
        log = service.paths.logs / "warden.jsonl"
        assert "deadly is in quarantine; `sottovoce models probe deadly` tries it by itself" in log.read_text()
        with pytest.raises(Quarantined, match="stt-final died more than 1 times in 60 s with it"):
            Quarantine(store.root).require(store.catalogue["deadly"], store.path("deadly"))
        own = service.paths.logs / "stt-final.jsonl"
        before = len(own.read_text())
        fallback.forget(service.paths)
        Supervisor(service.paths.supervisor_socket).restart("stt-final")
        wait_until(lambda: "which cannot be used (model deadly is in quarantine" in own.read_text()[before:])
    assert probe("deadly", store=store, threads=[1]).runs[0].outcome == "died"
    Quarantine(store.root).require(store.catalogue["innocent"], store.path("innocent"))
