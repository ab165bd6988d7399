"""Two models at once: the draft is shown, the final is typed, and neither holds up the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sottovoce.actors.pressure import Level, current
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Draft, Final
from sottovoce.protocol.rows import UtteranceRow
from sottovoce.shm import CountersView

pytestmark = pytest.mark.usefixtures("twin")
DRAFT = '[stt.draft]\nmodel = "twin"\n'


def dictate(service: PrivateService, audio: Path, *, pace: float) -> tuple[list[Draft], list[Final]]:
    """Dictate a file; return the drafts and finals in the order in which they came."""
    bodies = [event.body for event in feed(service.paths, audio, pace=pace)]
    return [body for body in bodies if isinstance(body, Draft)], [body for body in bodies if isinstance(body, Final)]


def rows(service: PrivateService) -> list[UtteranceRow]:
    """Return all utterances."""
    journal = Journal(service.paths.journal(keep="30d"))
    found = journal.utterances()
    journal.close()
    return found


def counted(service: PrivateService, stage: str, name: str) -> int:
    """Return a counter of a stage."""
    with CountersView.attach(service.paths.counters(stage)) as view:
        return view.counters()[name]


def memory(service: PrivateService, stage: str) -> int:
    """Return a stage's resident memory in MB."""
    with CountersView.attach(service.paths.counters(stage)) as view:
        status = Path(f"/proc/{view.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def until(condition: Callable[[], object]) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_final_names_the_drafts_that_it_corrects(beckett: Path) -> None:
    """Each draft bears its model, and the final that follows names the drafts of its utterance by their ids."""
    with private_service(config=DRAFT) as service:
        drafts, finals = dictate(service, beckett, pace=2.0)
    assert {draft.model for draft in drafts} == {"twin"}
    assert {final.model for final in finals} == {"moonshine-tiny-en"}
    for final in finals:
        mine = [draft for draft in drafts if draft.first == final.first]
        assert set(final.corrects_window_ids) <= {draft.window_id for draft in mine}
        assert len(final.corrects_window_ids) >= len(mine) - 1  # the last may have come after it
        numbers = [draft.number for draft in mine]
        assert numbers == sorted(set(numbers))


def test_a_sure_draft_is_typed(beckett: Path) -> None:
    """With the gate, a draft of the whole segment that is sure is typed as it is, and nothing decodes it again."""
    with private_service(config=f"{DRAFT}[stt.final]\ngate = true\n") as service:
        finals: list[Final] = []
        for _ in range(3):  # on a machine that is busy with other things, all drafts of ten seconds may be late
            finals += dictate(service, beckett, pace=1.0)[1]
            if by_twin := [row for row in rows(service) if row.model == "twin"]:
                break
        gated = counted(service, "stt-final", "gated")
    assert by_twin
    assert gated >= len(by_twin)
    for final in finals:
        if final.model == "twin":
            assert final.window_id in final.corrects_window_ids
            assert final.confidence == "high"


def test_without_drafts_the_gate_holds_up_nothing(beckett: Path) -> None:
    """Where no draft comes, the final decodes by itself."""
    with private_service(config="[stt.draft]\nenabled = false\n[stt.final]\ngate = true\n") as service:
        _, finals = dictate(service, beckett, pace=2.0)
    assert {final.model for final in finals} == {"moonshine-tiny-en"}
    assert sum(len(final.text.split()) for final in finals) == 12


def test_in_a_cascade_all_is_typed(beckett: Path) -> None:
    """Where the two never decode at once, there are drafts still, and every word is typed."""
    with private_service(config=f'[stt]\nmode = "cascaded"\n{DRAFT}') as service:
        drafts, finals = dictate(service, beckett, pace=2.0)
    assert drafts
    assert sum(len(final.text.split()) for final in finals) == 12


def test_a_model_that_is_not_wanted_leaves_memory(beckett: Path) -> None:
    """Some time after a recording both models are unloaded; the next one brings them back, and no word is lost."""
    idle = "unload_after = 0.5\n"
    with private_service(config=f"{DRAFT}{idle}[stt.final]\n{idle}") as service:
        dictate(service, beckett, pace=2.0)
        before = service.text()
        loaded = memory(service, "stt-final")
        until(lambda: counted(service, "stt-final", "unloads") and counted(service, "stt-draft", "unloads"))
        unloaded = memory(service, "stt-final")
        drafts, _ = dictate(service, beckett, pace=2.0)
        assert service.text().count("better") == 2 * before.count("better")
        assert counted(service, "stt-final", "unloads") <= 2  # not in mid-recording, perhaps behind it
    assert drafts
    assert len(before.split()) == 12
    assert unloaded < loaded - 50  # MB, of some 100 that the model takes


def test_short_memory_costs_the_drafts_alone(beckett: Path) -> None:
    """Where memory is fuller than was allowed, nothing is shown while somebody speaks, and all is typed."""
    with private_service(config=f"{DRAFT}[memory]\nram_high = 1\ncheck_every = 0.1\n") as service:
        until(lambda: current(service.paths).level >= Level.HIGH)
        until(lambda: counted(service, "stt-draft", "unloads"))
        drafts, finals = dictate(service, beckett, pace=2.0)
    assert drafts == []
    assert sum(len(final.text.split()) for final in finals) == 12
