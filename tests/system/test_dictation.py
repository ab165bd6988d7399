"""Dictation through the whole service: speech in, text out, once."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import (
    CaptureStarted,
    Draft,
    Event,
    Final,
    ModeState,
    PipelineState,
    SegmentClosed,
    StageState,
    TextReady,
    Typed,
)
from sottovoce.protocol.rows import UtteranceRow

Rows = Callable[[], list[UtteranceRow]]


def words(text: str) -> list[str]:
    """Return the words of a text, without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


@dataclass
class Dictated:
    """A recording that the service has heard in real time, and what came of it."""

    events: list[Event]
    rows: list[UtteranceRow]
    typed: str


@pytest.fixture(scope="module")
def dictated(service: PrivateService, beckett: Path) -> Dictated:
    """Ten seconds of speech; meanwhile an observer is attached that never reads."""
    before = service.text()
    stuck = Subscriber(service.paths)
    try:
        events = list(feed(service.paths, beckett))
    finally:
        stuck.close()
    journal = Journal(service.paths.journal(keep="30d"))
    newest = journal.recording()
    assert newest is not None
    rows = journal.utterances(generation=newest.generation)
    journal.close()
    return Dictated(events, rows, service.text().removeprefix(before))


def test_speech_is_typed_exactly_once(dictated: Dictated) -> None:
    """A recording in real time comes out as its words, each utterance typed once, and the journal says the same."""
    typed, rows = dictated.typed, dictated.rows
    told = [event.body for event in dictated.events if isinstance(event.body, Typed)]
    assert typed == "".join(body.text for body in told)
    assert typed == "".join(row.text or "" for row in rows)
    assert {row.state for row in rows} == {"typed"}
    assert len({(body.stream, body.first) for body in told}) == len(told)
    said = ["ever", "tried", "ever", "failed", "no", "matter", "try", "again", "fail", "again", "fail", "better"]
    assert len(words(typed)) == len(said)
    assert sum(a != b for a, b in zip(words(typed), said, strict=True)) <= 1  # a tiny model may mishear one word


def test_every_stage_tells_in_order(dictated: Dictated) -> None:
    """For each utterance: segment, final and text, typed, at rising times; drafts come before the final they go into.

    Final and text are in order in the journal: the transform may read a text there before the recogniser has told it.
    """
    events = dictated.events
    started = next(event for event in events if isinstance(event.body, CaptureStarted))
    for typed in [event for event in events if isinstance(event.body, Typed)]:
        mine = [event for event in events if event.trace == typed.trace]
        for told in (Final, TextReady):
            times = [
                next(event.t_ns for event in mine if isinstance(event.body, kind))
                for kind in (SegmentClosed, told, Typed)
            ]
            assert [started.t_ns, *times] == sorted([started.t_ns, *times])
        final = next(event for event in mine if isinstance(event.body, Final))
        assert isinstance(final.body, Final)
        drafts = [event.body.window_id for event in mine if isinstance(event.body, Draft)]
        assert drafts == sorted(drafts)
        assert set(final.body.corrects_window_ids) <= set(drafts)
    assert any(isinstance(event.body, Draft) for event in events)
    for row in dictated.rows:
        times = [row.spoken_ns, row.transcribed_ns or 0, row.transformed_ns or 0, row.typed_ns or 0]
        assert times == sorted(times)


def test_a_subscriber_that_stops_reading_costs_nothing(dictated: Dictated) -> None:
    """An observer that is stuck for a whole recording neither delays nor loses a word."""
    assert {row.state for row in dictated.rows} == {"typed"}
    assert max(row.timings_ms()["typed"] for row in dictated.rows) < 5000  # who waited for it would wait for good


def test_two_recordings_keep_their_order(service: PrivateService, opening: Path, rows: Rows) -> None:
    """A second recording goes into the same ring after the first, and its texts after the first's."""
    list(feed(service.paths, opening, pace=0))
    first = rows()
    list(feed(service.paths, opening, pace=0))
    second = rows()
    assert second[0].first > first[-1].first
    assert second[0].stream == first[0].stream
    assert [row.heard for row in second] == [row.heard for row in first]


def test_a_late_subscriber_is_consistent_at_once(service: PrivateService) -> None:
    """Whoever attaches to a quiet service hears the states of the pipeline, mode and stages, and nothing else."""
    subscriber = Subscriber(service.paths)
    try:
        states: dict[str, str] = {}
        pipeline = mode = None
        deadline = time.monotonic() + 60
        while (len(states) < 8 or pipeline is None or mode is None) and time.monotonic() < deadline:
            subscriber.wait(0.1)
            for event in subscriber.drain():
                assert isinstance(event.body, StageState | PipelineState | ModeState)
                if isinstance(event.body, StageState):
                    states[event.body.stage] = event.body.state
                elif isinstance(event.body, PipelineState):
                    pipeline = event.body
                else:
                    mode = event.body.mode
        assert mode == "dictation"
        assert set(states.values()) == {"ready"}
        assert pipeline is not None
        assert pipeline.state == "idle"
    finally:
        subscriber.close()


def test_wer_through_the_service(service: PrivateService, speech: Path) -> None:
    """The English clips come through the whole service at a word error rate of at most 6 %."""
    jiwer = pytest.importorskip("jiwer")
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise = EnglishTextNormalizer()
    spoken, typed = [], []
    for line in (speech / "manifest.jsonl").read_text().splitlines():
        clip = json.loads(line)
        if clip["lang"] != "en" or not clip["text"]:
            continue
        before = service.text()
        list(feed(service.paths, speech / clip["audio"], pace=0))
        spoken.append(normalise(clip["text"]))
        typed.append(normalise(service.text().removeprefix(before)))
    assert len(spoken) >= 10
    assert jiwer.wer(spoken, typed) <= 0.06


def test_noise_types_nothing(service: PrivateService, speech: Path) -> None:
    """On a clip without speech nothing is typed."""
    before = service.text()
    list(feed(service.paths, speech / "clips" / "noise-speechbrain5.wav", pace=0))
    assert service.text() == before
