"""Somebody else's hands in shared memory: the audio ring and the counters pages are overwritten, cut short, removed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from stages import LEAN, wait_until

from sottovoce.actors import failpoints
from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import bench_chaos
from sottovoce.ops import service as whole
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import SpeechOnset
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UtteranceRow
from sottovoce.shm import CountersView, ShmError
from sottovoce.shm.layout import HEADER_BYTES

Damage = Callable[[Path], None]
WORDS = ["ever", "tried", "ever", "failed", "no", "matter", "try", "again", "fail", "again", "fail", "better"]


def write(path: Path, at: int, content: bytes) -> None:
    """Overwrite a part of a file in place."""
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, content, at)
    os.close(fd)


def words(text: str) -> list[str]:
    """Return the words of a text, without their case and points."""
    return [word.strip(".,!?").lower() for word in text.split()]


HARMLESS: dict[str, Damage] = {
    "header of noise": lambda ring: write(ring, 0, bytes(range(1, 256)) * 16),
    "header of zeros": lambda ring: write(ring, 0, bytes(HEADER_BYTES)),
    "cursor in the future": lambda ring: write(ring, 24 * 8, (1 << 40).to_bytes(8, "little")),
    "grown": lambda ring: os.truncate(ring, ring.stat().st_size + 4096),
    "removed": lambda ring: ring.unlink(),
}
"""The writer knows what was there."""
HARMFUL: dict[str, Damage] = {
    "slots of zeros": lambda ring: write(ring, HEADER_BYTES, bytes(ring.stat().st_size - HEADER_BYTES)),
    "cut to half a frame": lambda ring: os.truncate(ring, HEADER_BYTES + 1000),
    "cut to nothing": lambda ring: os.truncate(ring, 0),
}
"""What was said and not yet decoded is gone."""


@pytest.fixture(scope="module")
def points() -> Iterator[Path]:
    """The folder of the fail points of the shared service."""
    with bench_chaos.failpoint_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def service(beckett: Path, points: Path) -> Iterator[PrivateService]:
    """A service whose stages may die often: each SIGBUS is one death."""
    with private_service(config="[warden]\nrestarts = 100\n" + LEAN) as running:
        yield running


def dictate(service: PrivateService, audio: Path, *strikes: Callable[[], None]) -> list[UtteranceRow]:
    """Play a recording, strike in its second utterance and in those after it, and return what became of it."""
    onsets, waiting = 0, list(strikes)
    for event in feed(service.paths, audio, pace=3):
        if isinstance(event.body, SpeechOnset):
            onsets += 1
            if onsets > 1 and waiting:
                waiting.pop(0)()
    assert not waiting
    journal = Journal(service.paths.journal(keep="30d"))
    try:
        newest = journal.recording()
        assert newest is not None
        assert newest.end_reason == "eof"
        return journal.utterances(generation=newest.generation)
    finally:
        journal.close()


def logged(service: PrivateService) -> str:
    """Return all that the stages have logged."""
    return "".join(path.read_text() for path in sorted(service.paths.logs.glob("*.jsonl")))


def count(service: PrivateService, code: str) -> int:
    """Count the notices of a code in the logs: a notice of a stage that has just started may find no subscriber."""
    return logged(service).count(f'"code":"{code}"')


def test_a_ring_that_can_be_mended_costs_no_word(service: PrivateService, beckett: Path) -> None:
    """A header that is overwritten and a file that is removed in mid-sentence are put right, and the person is told.

    Each time: five utterances, each way to damage it in one of them.
    """
    before = service.text()

    def strike(damage: Damage) -> None:
        known = count(service, "ring")
        damage(service.paths.ring)
        wait_until(lambda: count(service, "ring") > known)

    rows = dictate(service, beckett, *(partial(strike, damage) for damage in HARMLESS.values()))
    assert {row.state for row in rows} == {"typed"}
    assert words(service.text().removeprefix(before)) == WORDS


@pytest.mark.parametrize("damage", HARMFUL)
def test_a_ring_that_is_lost_costs_one_sentence_at_most(service: PrivateService, beckett: Path, damage: str) -> None:
    """Audio that is wiped out in mid-sentence is told; what was said before and after is typed; nothing comes twice."""
    before, known = service.text(), count(service, "ring")
    rows = dictate(service, beckett, lambda: HARMFUL[damage](service.paths.ring))
    assert {row.state for row in rows} <= {"typed", "suppressed"}
    assert all(row.reason for row in rows if row.state == "suppressed")
    typed = service.text().removeprefix(before)
    assert typed == "".join(row.text or "" for row in rows if row.state == "typed")
    assert words(typed)[:2] == WORDS[:2]
    assert words(typed)[-2:] == WORDS[-2:]
    assert len(words(typed)) <= len(WORDS), "\n".join(f"{row.first} {row.end} {row.state}: {row.heard}" for row in rows)
    assert count(service, "ring") > known or any("damaged" in (row.reason or "") for row in rows)


def test_a_ring_that_is_replaced_under_a_frozen_vad(service: PrivateService, points: Path, beckett: Path) -> None:
    """The VAD stops with a segment in its hands, the recording goes on in a new ring: no word is missed or doubled."""
    fired = points / failpoints.FIRED
    journal = Journal(service.paths.journal(keep="30d"))
    before, stalled = service.text(), count(service, "stalled")

    def stream() -> int:
        newest = journal.recording()
        return (newest and newest.stream) or 0

    def strike() -> None:
        failpoints.arm(points, "vad.before_segment", signal.SIGSTOP)
        wait_until(fired.exists)
        before = stream()
        os.kill(Supervisor(service.paths.supervisor_socket).processes()["capture"]["pid"], signal.SIGKILL)
        write(service.paths.ring, 0, bytes(HEADER_BYTES))
        wait_until(lambda: stream() != before)
        os.kill(int(fired.read_text().split()[1]), signal.SIGCONT)  # the warden has not yet lost its patience

    rows = dictate(service, beckett, strike)
    journal.close()
    assert {row.state for row in rows} == {"typed"}
    assert len({row.stream for row in rows}) == 2
    assert words(service.text().removeprefix(before)) == WORDS
    assert count(service, "stalled") == stalled


def test_a_ring_that_was_damaged_while_nobody_ran_is_replaced(service: PrivateService, beckett: Path) -> None:
    """The whole service is killed in mid-sentence and its ring damaged: the next start says so, and types the rest."""
    before, known = service.text(), count(service, "ring")
    supervisord, onsets = whole.running(service.paths), 0
    assert supervisord is not None
    for event in feed(service.paths, beckett, pace=3):
        onsets += isinstance(event.body, SpeechOnset)
        if onsets == 2:
            pids = [info["pid"] for info in Supervisor(service.paths.supervisor_socket).processes().values()]
            os.kill(supervisord, signal.SIGKILL)
            break
    wait_until(lambda: not any(runs(pid) for pid in pids))
    HARMLESS["header of noise"](service.paths.ring)
    service.up()
    wait_until(lambda: not unfinished(service.paths))
    journal = Journal(service.paths.journal(keep="30d"))
    newest = journal.recording()
    assert newest is not None
    rows = journal.utterances(generation=newest.generation)
    journal.close()
    assert {row.state for row in rows} <= {"typed", "suppressed", "in_doubt"}
    assert all(row.reason for row in rows if row.state == "suppressed")
    typed = words(service.text().removeprefix(before))
    assert typed[-2:] == WORDS[-2:]
    assert len(typed) <= len(WORDS)
    assert count(service, "ring") > known


PAGES: dict[str, Damage] = {
    "description of noise": lambda page: write(page, 0, bytes(range(1, 256))),
    "all of noise": lambda page: write(page, 0, b"\x7f" * page.stat().st_size),
    "cut to nothing": lambda page: os.truncate(page, 0),
    "removed": lambda page: page.unlink(),
}


def test_damaged_counters_cost_no_word(service: PrivateService, beckett: Path) -> None:
    """Every stage's counters page is damaged in mid-sentence: all is typed, once, and all pages are sound again.

    Each time: four utterances, each way to damage them in one of them.
    """
    before, stalled = service.text(), count(service, "stalled")
    stages = Supervisor(service.paths.supervisor_socket).processes()
    assert len(stages) == 7

    def strike(damage: Damage) -> None:
        for page in service.paths.shared.glob("*.counters"):
            damage(page)
        wait_until(lambda: all(sound(service, stage) for stage in stages))

    rows = dictate(service, beckett, *(partial(strike, damage) for damage in PAGES.values()))
    assert {row.state for row in rows} == {"typed"}
    assert words(service.text().removeprefix(before)) == WORDS
    assert count(service, "stalled") == stalled


def sound(service: PrivateService, stage: str) -> bool:
    """Tell whether a stage lives, which may have died of a page that was cut, and has a page that can be read."""
    try:
        with CountersView.attach(service.paths.counters(stage)) as view:
            return view.alive and view.counters()["turns"] > 0
    except ShmError:
        return False


def test_a_frozen_stage_with_a_damaged_page_is_found(service: PrivateService) -> None:
    """The warden does not need the page of a stopped stage to be sound to find that it makes no progress."""
    pid = Supervisor(service.paths.supervisor_socket).processes()["transform"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    os.truncate(service.paths.counters("transform"), 0)
    wait_until(lambda: not runs(pid))
    wait_until(lambda: whole.status(service.paths)["stages"]["transform"]["pid"] not in (0, pid))  # type: ignore[index]


def runs(pid: int) -> bool:
    """Tell whether a process lives."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def unfinished(paths: Paths) -> bool:
    """Tell whether a recording goes on, or an utterance of it waits."""
    journal = Journal(paths.journal(keep="30d"))
    try:
        return bool(journal.open_recordings() or journal.unfinished())
    finally:
        journal.close()
