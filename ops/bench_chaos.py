"""`sottovoce bench chaos`: kill and freeze a service's processes while somebody speaks, and count what it cost.

The service is real and private, the speech is real and fed at its pace, again and again. Strikes come at random
instants, on average one every `seconds / kills`; the seed settles what they hit and how. Two of three hit whatever
process a stage has at that instant, starting ones included; one of three arms a fail point (`actors.failpoints`), so
that the process dies between two named steps. One of seven freezes instead of killing: the warden has to find it. A
few hit supervisord itself (`ops.attack`). All the while a share of the messages between the stages is lost, another
comes twice, another late (`actors.lossy`).

Before the first strike each recording is played once in peace; `ops.verdict` says what is compared with that, and how.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sottovoce.actors import failpoints, log, lossy
from sottovoce.actors.audiofile import info
from sottovoce.models import Store
from sottovoce.ops.attack import ENGINES, ORPHAN_S, Attack
from sottovoce.ops.day import sound_files
from sottovoce.ops.demo import SAMPLE
from sottovoce.ops.exceptions import OpsError, ServiceError
from sottovoce.ops.private import PrivateService, leftovers, private_service
from sottovoce.ops.verdict import Played, Tally
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.control import request
from sottovoce.protocol.exceptions import ControlError, JournalUnavailable, ProtocolError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Notice
from sottovoce.protocol.paths import Paths

CONFIG = "[warden]\nrestarts = 100\n[vad]\nendpoint = 0.5\n"
"""A stage that is killed for a living must not be parked for it. And boundaries that depend on what the recogniser
reads in time could not be compared."""
ZERO = (
    "lost", "duplicated", "out_of_order", "leaked_processes", "leaked_files", "duplicate_processes", "orphans",
    "ended_early",
)  # fmt: skip
"""What must be 0, or empty."""
_STUCK_S = 90.0  # beyond a recording's length: several freezes in a row, each found after 2.5 s, take far less
_BACK_S = 30.0


def run(
    *, kills: int, seconds: float, seed: int, audio: Sequence[Path] = (), pace: float = 1.0,
    aimed: float = 1 / 3, frozen: float = 1 / 7, supervisord: float = 0.03, loss: float = 0.1, keep: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Run the benchmark.

    Args:
        kills: how many SIGKILLs; SIGSTOPs come on top.
        seconds: over about how long.
        seed: of every choice.
        audio: recordings, or folders of them, beside the sample of the demo.
        pace: times real time; 0 for as fast as it goes.
        aimed: share of the strikes that arm a fail point.
        frozen: share of the strikes that freeze.
        supervisord: share of the strikes that hit supervisord.
        loss: share of the messages that is lost, share that comes twice, and share that comes late: a third at most.
        keep: leave the service's directories where they are if anything that must be 0 is not.
        tell: is called with a line after each recording.

    Raises:
        AudioFileError, ModelError, ServiceError: there is nothing to play, or to play to.
        ValueError: `loss` is more than a third.
    """
    clips = [Store().path(SAMPLE) / f"{SAMPLE}.wav", *sound_files(audio)]
    for clip in clips:
        info(clip)  # a clear error here, before anything is started
    rng = random.Random(seed)
    tally, report, began = Tally(), dict[str, Any](), time.monotonic()
    with failpoint_folder() as folder, contextlib.suppress(_Left), _service() as service:
        bench = _Bench(service)
        early = ""
        try:
            peace = {clip: bench.play(clip, 0) for clip in clips}
            lossy.settle(folder, lossy.Shares(lost=loss, doubled=loss, late=loss, seed=seed))
            attack = bench.attack = Attack(
                service, folder, rng, kills=kills, every=seconds / kills, aimed=aimed, frozen=frozen,
                supervisord=supervisord,
            )  # fmt: skip
            try:
                for clip in itertools.cycle(clips):
                    tally.add(bench.play(clip, pace), peace[clip])
                    tell(f"{attack.done}/{kills} kills, {tally.utterances} utterances, {tally.lost} lost")
                    if attack.over or tally.stuck:
                        break
                bench.settle()
            except (OpsError, ProtocolError) as error:
                early = str(error)  # after half an hour, what there is is worth a report
        finally:
            bench.close()
        messages = lossy.counted(folder)
        with contextlib.suppress(ServiceError):  # what is left is told below
            service.down()
        left = leftovers(service.paths)
        processes = sum(name.startswith("process ") for name in left)
        report = {
            "kills": attack.done, "stops": len(attack.strikes) - attack.done, "seed": seed, "pace": pace,
            "recordings": len(clips), "seconds": round(time.monotonic() - began, 1), "ended_early": early,
            **asdict(tally), "leaked_processes": processes, "leaked_files": len(left) - processes,
            "duplicate_processes": attack.duplicates, "orphans": sum(s > ORPHAN_S for s in attack.orphans_s),
            "messages": messages.passed, "dropped": messages.dropped, "doubled": messages.doubled,
            "delayed": messages.late,
            **attack.report(_loads(service.paths)), "notices": dict(sorted(bench.notices.items())),
        }  # fmt: skip
        if keep and failed(report):
            service.keep = True
            report["kept"] = str(service.paths.state.parent)
            report["left"] = left
    return report


def failed(report: Mapping[str, Any]) -> bool:
    """Tell whether anything is not 0 that must be."""
    return any(report[name] for name in ZERO)


def render(report: Mapping[str, Any]) -> str:
    """Return the report as lines of text."""
    return "\n".join(f"{name:<24}{value}" for name, value in report.items())


def _loads(paths: Paths) -> dict[tuple[str, int], float]:
    """Return how many seconds each process loaded its engine, by stage and process id, from what the stages logged."""
    began, loads = dict[tuple[str, int], datetime](), dict[tuple[str, int], float]()
    for stage in ENGINES:
        for file in (paths.logs / f"{stage}.jsonl.1", paths.logs / f"{stage}.jsonl"):
            for line in file.read_bytes().splitlines() if file.exists() else ():
                event = log.read(line)
                if event.get("event") not in ("loading", "ready"):
                    continue
                at, key = datetime.fromisoformat(event["timestamp"]), (stage, int(event["pid"]))
                if event["event"] == "loading":
                    began[key] = at
                elif key in began:
                    loads[key] = (at - began[key]).total_seconds()
    return loads


class _Left(Exception):
    """Something was left behind, which the report tells."""


@contextlib.contextmanager
def _service() -> Iterator[PrivateService]:
    ended = False
    try:
        with private_service(config=CONFIG) as service:
            yield service
            ended = True
    except ServiceError as error:
        if not ended:
            raise
        raise _Left from error


@contextlib.contextmanager
def failpoint_folder() -> Iterator[Path]:
    """Make a folder for fail points and name it in the environment, for the service that is started next."""
    with tempfile.TemporaryDirectory(prefix="sottovoce-chaos-") as folder:
        os.environ[failpoints.VARIABLE] = folder
        try:
            yield Path(folder)
        finally:
            del os.environ[failpoints.VARIABLE]


class _Bench:
    """Plays recordings to a service while it is attacked."""

    def __init__(self, service: PrivateService) -> None:
        self._paths, self._service = service.paths, service
        # A process that was stopped while it had the journal locked is found by the warden.
        self._journal = Journal(service.paths.journal(keep="30d"), patience=self._patient)
        self._refused_at = self._refused_since = float("-inf")
        self._subscriber = Subscriber(service.paths, ("state.stage", "notice"))
        self._read = 0
        self.attack: Attack | None = None
        self.notices: Counter[str] = Counter()

    def _patient(self, _: JournalUnavailable) -> bool:
        now = time.monotonic()
        if now - self._refused_at > _BACK_S:
            self._refused_since = now
        self._refused_at = now
        self.turn()
        return now - self._refused_since < _BACK_S

    def turn(self) -> None:
        """Listen for a moment, and let the attack have its turn."""
        self._subscriber.wait(0.02)
        for event in self._subscriber.drain():
            if isinstance(event.body, Notice):
                self.notices[event.body.code] += 1
            if self.attack is not None:
                self.attack.hear(event)
        if self.attack is not None:
            self.attack.turn()

    def play(self, clip: Path, pace: float) -> Played:
        """Have a recording made of `clip`, until all of it has come to an end or nothing moves any more."""
        before = self._newest()
        source = {"type": "file", "path": str(clip.absolute()), "pace": pace}
        deadline = time.monotonic() + _STUCK_S
        # An error may hide that it was done: the conductor may die between its commit and its answer.
        while self._newest() == before:
            with contextlib.suppress(ControlError):
                request(self._paths.control, "start", {"source": source}, timeout=1.0)
            self.turn()
            if time.monotonic() > deadline:
                raise OpsError(f"no recording was begun within {_STUCK_S:g} s; see the notices with `sottovoce logs`")
        generation = self._newest()
        deadline = time.monotonic() + _STUCK_S + ((info(clip).duration_s or 0) / pace if pace else 0)
        while time.monotonic() < deadline:
            self.turn()
            recording = self._journal.recording(generation)
            if recording is not None and recording.closed_ns is not None:
                break
        recording = self._journal.recording(generation)
        assert recording is not None  # noqa: S101 - nothing is forgotten within 30 days
        text = self._service.text()
        self._read, typed = len(text), text[self._read :]
        return Played(recording, self._journal.utterances(generation=generation), typed)

    def settle(self) -> None:
        """Wait until every stage that was struck is back."""
        deadline = time.monotonic() + _BACK_S
        while self.attack is not None and self.attack.waiting and time.monotonic() < deadline:
            self.turn()

    def _newest(self) -> int:
        newest = self._journal.recording()
        return 0 if newest is None else newest.generation

    def close(self) -> None:
        self._subscriber.close()
        self._journal.close()
