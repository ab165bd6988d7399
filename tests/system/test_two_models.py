"""Two models at once: the draft is shown, the final is typed, and neither holds up the other.

One service for all of it: its recognisers are started anew where a test has settings of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from stages import wait_until

from sottovoce.actors.base import STATES
from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Draft, Final
from sottovoce.shm import CountersView, ShmError

DRAFT = '[stt.draft]\nmodel = "twin"\n'
GATED = f"{DRAFT}unload_after = 2.0\n[stt.final]\nunload_after = 2.0\ngate = true\n"
TRIES = 12
"""On a machine that is busy with other things, all drafts of a recording may be late: the gate waits for 0.25 s."""
LONG_S = 60.0
"""Longest wait for what takes a second on a machine that has nothing else to do."""


@pytest.fixture(scope="module")
def service(twin: None) -> Iterator[PrivateService]:
    """A service whose drafts are another model's than its finals."""
    with private_service(config=GATED) as running:
        yield running


def configure(service: PrivateService, config: str, *stages: str) -> None:
    """Give the service other settings, and return once these stages work by them."""
    file, supervisor = service.paths.config, Supervisor(service.paths.supervisor_socket)
    file.write_text(file.read_text().partition("[stt")[0] + config)
    for stage in stages:
        supervisor.restart(stage)
    for stage in stages:
        wait_until(partial(ready, service, supervisor, stage), LONG_S)


def ready(service: PrivateService, supervisor: Supervisor, stage: str) -> bool:
    """Tell whether a stage's process, and not the one before, is ready."""
    pid = supervisor.processes()[stage]["pid"]
    try:
        with CountersView.attach(service.paths.counters(stage)) as view:
            return view.pid == pid and view.counters()["state"] == STATES.index("ready")
    except ShmError:
        return False


def dictate(service: PrivateService, audio: Path, *, pace: float) -> tuple[list[Draft], list[Final]]:
    """Dictate a file of which each word is typed; return the drafts and finals in the order in which they came."""
    before = service.text()
    bodies = [event.body for event in feed(service.paths, audio, pace=pace)]
    drafts = [body for body in bodies if isinstance(body, Draft)]
    finals = [body for body in bodies if isinstance(body, Final)]
    assert len(service.text().removeprefix(before).split()) == sum(len(final.text.split()) for final in finals) == 4
    assert {draft.model for draft in drafts} <= {"twin"}
    for final in finals:
        mine = [draft for draft in drafts if draft.first == final.first]
        assert set(final.corrects_window_ids) <= {draft.window_id for draft in mine}
        assert len(final.corrects_window_ids) >= len(mine) - 1  # the last may have come after it
        numbers = [draft.number for draft in mine]
        assert numbers == sorted(set(numbers))
    return drafts, finals


def drafted(service: PrivateService, audio: Path) -> tuple[int, list[Final]]:
    """Dictate a file until drafts come; return how often, and the finals of the last time."""
    for tries in range(1, TRIES + 1):
        drafts, finals = dictate(service, audio, pace=1.0)
        if drafts:
            return tries, finals
    pytest.fail(f"no draft in {tries} recordings")


def models(service: PrivateService) -> list[str | None]:
    """Return the models of all utterances."""
    journal = Journal(service.paths.journal(keep="30d"))
    found = [row.model for row in journal.utterances()]
    journal.close()
    return found


def counted(service: PrivateService, stage: str, name: str) -> int:
    """Return a counter of a stage."""
    with CountersView.attach(service.paths.counters(stage)) as view:
        return view.counters()[name]


def given_back(service: PrivateService, stage: str) -> int:
    """Return by how much less memory a stage takes than it has at most, in MB."""
    with CountersView.attach(service.paths.counters(stage)) as view:
        status = Path(f"/proc/{view.pid}/status").read_text()
    most, now = (int(status.partition(name)[2].split()[0]) for name in ("VmHWM:", "VmRSS:"))
    return (most - now) // 1024


def test_a_sure_draft_is_typed_and_what_rests_leaves_memory(service: PrivateService, opening: Path) -> None:
    """With the gate, a draft of the whole segment that is sure is typed as it is, and nothing decodes it again.

    Some time after a recording both models are unloaded; the next one brings them back, and no word is lost. Each draft
    bears its model, and each final names the drafts of its utterance by their ids.
    """
    finals: list[Final] = []
    for _ in range(TRIES):
        finals += dictate(service, opening, pace=1.0)[1]
        if by_twin := models(service).count("twin"):
            break
    assert by_twin
    assert counted(service, "stt-final", "gated") >= by_twin
    for final in finals:
        if final.model == "twin":
            assert final.window_id in final.corrects_window_ids
            assert final.confidence == "high"
    wait_until(lambda: counted(service, "stt-final", "unloads") and counted(service, "stt-draft", "unloads"), LONG_S)
    assert given_back(service, "stt-final") > 50  # of some 100 that the model takes
    unloads = counted(service, "stt-final", "unloads")
    tries, _ = drafted(service, opening)
    assert counted(service, "stt-final", "unloads") <= unloads + tries  # not in mid-recording, perhaps behind it


def test_without_drafts_the_gate_holds_up_nothing(service: PrivateService, opening: Path) -> None:
    """Where no draft comes, the final decodes by itself."""
    Supervisor(service.paths.supervisor_socket).park("stt-draft")
    drafts, finals = dictate(service, opening, pace=0)
    assert drafts == []
    assert {final.model for final in finals} == {"moonshine-tiny-en"}


def test_in_a_cascade_all_is_typed(service: PrivateService, opening: Path) -> None:
    """Where the two never decode at once, there are drafts still, and every word is typed."""
    configure(service, f'[stt]\nmode = "cascaded"\n{DRAFT}', "stt-draft", "stt-final")
    _, finals = drafted(service, opening)
    assert {final.model for final in finals} == {"moonshine-tiny-en"}
