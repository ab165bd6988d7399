"""A private service that lives through a simulated day of dictation, and what it came to."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sottovoce.actors.detector import Detector
from sottovoce.actors.segmenter import Action, Closed
from sottovoce.ops.day import Composer, Placed, Stretch
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.private import PrivateService
from sottovoce.ops.series import Sampler, kind_of
from sottovoce.ops.verdict import compare
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import VadConfig
from sottovoce.protocol.control import request
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Notice, Typed
from sottovoce.protocol.rows import UNFINISHED, Recording, UtteranceRow
from sottovoce.shm import FRAME_SAMPLES

ENDPOINT_S: Final = 0.5
"""The silence that ends an utterance, in the service and for the detector that checks it."""
_STUCK_S: Final = 120.0  # beyond a recording's length
_TELL_EVERY_S: Final = 10.0
_UNBROKEN_S: Final = 30.0  # above [vad] max_segment, 24 s
_UNBROKEN_PACE: Final = 1.0  # else no draft is nearly as long as a segment, but one at some late hour
_TURN_S: Final = 0.05


class Soak:
    """One service that lives through a day.

    Args:
        service: the service.
        composer: makes the recordings.
        folder: for the recording that is played, on tmpfs.
        speed: times real time.
        every: seconds between two samples.
        tell: is called with lines of progress.
    """

    def __init__(
        self, service: PrivateService, composer: Composer, folder: Path, *, speed: float, every: float,
        tell: Callable[[str], object],
    ) -> None:  # fmt: skip
        self._paths, self._service, self._composer, self._folder = service.paths, service, composer, folder
        self._speed, self._every, self._tell = speed, every, tell
        self._journal = Journal(service.paths.journal(keep="30d"))
        self._subscriber = Subscriber(service.paths, ("inject.", "notice"))
        self._sampler = Sampler(service.paths, self._journal)
        self._notices: Counter[str] = Counter()
        self._began = time.monotonic()
        self._told_at = self._sampled_at = math.inf  # not before the day has begun
        self._day_s = self._recorded_s = self._spoken_s = self._owed_s = self._behind_s = 0.0
        self._recordings = self._clips = self._unheard = self._wanted = self._missing = self._unanswered = 0
        self._detector = Detector(VadConfig(endpoint=ENDPOINT_S))
        self._first_row = 0

    # -- the day -------------------------------------------------------------------------------------------------------

    def calibrate(self) -> None:
        """Play each clip once, and use only those in which the service hears something; then speech without a pause.

        The latter makes segments as long as they come, so that the recognisers' memory, which the longest one settles,
        does not grow hours later when chance brings that one.

        Raises:
            OpsError: it hears nothing in any.
        """
        self._tell(
            f"getting ready: {len(self._composer.clips)} clips, then {_UNBROKEN_S:g} s of speech without a pause"
        )
        placed = self._composer.each()
        rows, start = self._play(placed, placed[-1].end / SAMPLE_RATE + 2, pace=0)
        heard = [piece.clip for piece in placed if _overlaps(piece, rows, start)]
        if not heard:
            raise OpsError("no speech is found in what there is to play; name recordings of speech with --audio")
        if len(heard) < len(placed):
            self._tell(f"{len(placed) - len(heard)} of {len(placed)} clips are left out: nothing is heard in them")
        self._composer.keep(heard)
        placed = self._composer.unbroken(_UNBROKEN_S)
        rows, _ = self._play(placed, placed[-1].end / SAMPLE_RATE, pace=min(self._speed, _UNBROKEN_PACE))
        self._first_row = rows[-1].ordinal
        self._sampler.latencies.clear()
        self._day_s = 0.0
        self._began = self._told_at = self._sampled_at = time.monotonic()

    def live(self, stretch: Stretch) -> None:
        """Live through a part of the day.

        Raises:
            ControlError, OpsError: the conductor does not answer, or a recording comes to no end.
        """
        if stretch.kind == "idle":
            rest = stretch.seconds / self._speed
            paid = min(rest, self._owed_s)
            self._owed_s -= paid
            self._turn_until(time.monotonic() + rest - paid, stretch.seconds)
            return
        placed = self._composer.place(stretch)
        began = time.monotonic()
        rows, start = self._play(placed, stretch.seconds, pace=self._speed)
        unheard = sum(not _overlaps(piece, rows, start) for piece in placed)
        if unheard or stretch.kind == "dictation":
            wanted = set(self._segments(placed, stretch.seconds))
            self._wanted += len(wanted)
            self._missing += len(wanted - {(row.first - start, row.end - start) for row in rows})
        self._recordings += 1
        self._recorded_s += stretch.seconds
        self._clips += len(placed)
        self._unheard += unheard
        self._spoken_s += sum(piece.end - piece.first for piece in placed) / SAMPLE_RATE
        self._owed_s += time.monotonic() - began - stretch.seconds / self._speed
        self._behind_s = max(self._behind_s, self._owed_s)

    def _segments(self, placed: Sequence[Placed], seconds: float) -> Iterator[tuple[int, int]]:
        """Yield the segments that anybody finds in a recording, service or not: each must be in the journal."""
        samples = self._composer.samples(placed, seconds).astype(np.float32) / np.float32(32768)
        self._detector.restart(0, 0)
        at, actions = 0, list[Action]()
        while at < len(samples):
            actions += self._detector.push(at, samples[at : at + FRAME_SAMPLES])
            at = self._detector.position
        yield from (
            (found.first, found.end) for found in [*actions, *self._detector.flush()] if isinstance(found, Closed)
        )

    def _play(self, placed: Sequence[Placed], seconds: float, *, pace: float) -> tuple[list[UtteranceRow], int]:
        """Have a recording made until all of it has come to an end; its utterances, and its first sample.

        Raises:
            ControlError: the conductor refuses it.
            OpsError: it does not come to an end.
        """
        path = self._folder / "recording.wav"
        self._composer.write(path, placed, seconds)
        source = {"type": "file", "path": str(path), "pace": pace}
        generation = request(self._paths.control, "start", {"source": source}, timeout=_STUCK_S)["generation"]
        began, day_s = time.monotonic(), self._day_s
        while True:
            passed = time.monotonic() - began
            if pace:
                self._day_s = day_s + min(seconds, passed * pace)
            self._turn()
            recording = self._journal.recording(generation)
            if recording is not None and recording.closed_ns is not None:
                break
            if passed > _STUCK_S + (seconds / pace if pace else seconds):
                raise OpsError(f"recording {generation} came to no end: {_where(recording, self._journal)}")
        path.unlink()
        if pace:
            self._day_s = day_s + seconds
        return self._journal.utterances(generation=generation), recording.first or 0

    def _turn_until(self, deadline: float, seconds: float) -> None:
        """Let a rest of so many seconds of the day go by until `deadline`."""
        began, day_s = time.monotonic(), self._day_s
        while (left := deadline - time.monotonic()) > 0:
            self._day_s = day_s + seconds * (time.monotonic() - began) / (deadline - began)
            self._turn(left)
        self._day_s = day_s + seconds

    def _turn(self, at_most: float = _TURN_S) -> None:
        """Listen for a moment; sample and tell when it is time."""
        self._subscriber.wait(min(_TURN_S, at_most))
        for event in self._subscriber.drain():
            if isinstance(event.body, Notice):
                self._notices[event.body.code] += 1
            elif isinstance(event.body, Typed) and "typed" in event.body.timings_ms:
                self._sampler.latencies.append(event.body.timings_ms["typed"])
        now = time.monotonic()
        if now - self._sampled_at >= self._every:
            self._sampled_at = now
            try:
                request(self._paths.control, "status")  # as a tray icon would, all day
            except ControlError:
                self._unanswered += 1
            self._sampler.take(self._day_s / 3600)
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self._tell(self._line())

    def _line(self) -> str:
        last = self._sampler.last
        total = sum(value for name, value in last.items() if name.endswith(".pss_kib")) / 1024
        return (
            f"{self._day_s / 3600:.2f} h after {time.monotonic() - self._began:.0f} s: {self._recordings} recordings, "
            f"{self._clips} clips, {self._unheard} unheard, {last.get('waiting', 0):.0f} waiting, "
            f"ring lag {last.get('stt-final.lag_s', 0):.0f} s, {total:.0f} MiB"
        )

    # -- the report ----------------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Return what came of it."""
        rows = self._journal.utterances()
        states = Counter(row.state for row in rows)
        missing, surplus, swapped = compare(self._service.text(), rows)
        counted = sum(row.ordinal > self._first_row for row in rows)
        trends = self._sampler.trends()
        hours = self._day_s / 3600
        files = self._sampler.series()
        return {
            "seconds": round(time.monotonic() - self._began, 1),
            "behind_s": {"max": round(self._behind_s, 1), "end": round(self._owed_s, 1)},
            "recordings": self._recordings, "recorded_h": round(self._recorded_s / 3600, 3),
            "speech_h": round(self._spoken_s / 3600, 3),
            "speech_share": round(self._spoken_s / 3600 / hours, 3) if hours else 0.0,
            "clips": self._clips, "utterances": len(rows), "typed": states["typed"],
            "suppressed": states["suppressed"], "in_doubt": states["in_doubt"], "late": states["late"],
            "lost": sum(states[state] for state in UNFINISHED) + missing + self._missing, "duplicated": surplus,
            "out_of_order": swapped, "segments_checked": self._wanted, "unheard": self._unheard,
            "lapped": self._sampler.stages.counters("vad").get("lost_samples", 0)
            + sum(row.state == "suppressed" and "audio" in (row.reason or "") for row in rows),
            "restarts": self._sampler.stages.restarts, "left_behind": "",
            "suppressed_because": dict(Counter(row.reason for row in rows if row.state == "suppressed")),
            "notices": dict(sorted(self._notices.items())), "unanswered": self._unanswered,
            "database_bytes_per_utterance": _each(files["journal.database_kib"], counted),
            "log_bytes_per_utterance": _each(files["logs.log_kib"], counted),
            "grows": [name for name, found in trends.items() if kind_of(name).must and found.verdict == "grows"],
            "series": {
                name: {"must_be_flat": kind_of(name).must, **found.as_dict()} for name, found in trends.items()
            },
            "samples": self._sampler.thinned(),
        }  # fmt: skip

    def close(self) -> None:
        """Let go of the service."""
        self._sampler.close()
        self._subscriber.close()
        self._journal.close()


def _overlaps(piece: Placed, rows: Sequence[UtteranceRow], start: int) -> bool:
    return any(row.first - start < piece.end and piece.first < row.end - start for row in rows)


def _where(recording: Recording | None, journal: Journal) -> str:
    if recording is None:
        return "it is not in the journal"
    return f"end {recording.end}, drained {recording.drained}, {journal.unfinished(recording.generation)} waiting"


def _each(kib: Sequence[float], utterances: int) -> int:
    """Bytes an utterance, of a file that grows with them."""
    return round((kib[-1] - kib[0]) * 1024 / utterances) if kib and utterances else 0
