"""Speech without a pause, in the running service: it is cut for its length, and nobody sees where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from sottovoce.ops import bench_seams
from sottovoce.ops.bench_latency import configuration
from sottovoce.ops.compose import read_manifest
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.ops.seams import judge
from sottovoce.ops.transcribe import Piece, Transcriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import SegmentClosed
from sottovoce.protocol.rows import UtteranceRow

SETTINGS = ("vad.endpoint=2.0", "vad.max_segment=9", "stt.draft.enabled=false")
"""What fades is no end, and there are some cuts in a minute; drafts would only take time."""


@pytest.fixture(scope="module")
def speech_without_a_pause(speech: Path) -> bench_seams.Speech:
    """Half a minute of one reader."""
    clips = [clip for clip in read_manifest(speech / "manifest.jsonl", "en") if clip.audio.name.startswith("LJ")]
    (found,) = bench_seams.monologues(clips, seeds=1, seconds=32)
    assert len(found.samples) > 32 * SAMPLE_RATE
    return found


@pytest.fixture(scope="module")
def talker(beckett: Path) -> Iterator[PrivateService]:
    """A service that cuts early. `beckett` is asked for because it says which models are missing."""
    with private_service(config=configuration(SETTINGS)[0]) as running:
        yield running


def dictate(service: PrivateService, speech: bench_seams.Speech, path: Path) -> tuple[list[UtteranceRow], list[str]]:
    """Dictate it much faster than anybody speaks; return the utterances, and why each segment ended."""
    soundfile.write(path, speech.samples, SAMPLE_RATE)
    reasons = [
        event.body.reason
        for event in feed(service.paths, path, pace=0)
        if isinstance(event.body, SegmentClosed)
    ]  # fmt: skip
    journal = Journal(service.paths.journal(keep="30d"))
    try:
        newest = journal.recording()
        assert newest is not None
        return journal.utterances(generation=newest.generation), reasons
    finally:
        journal.close()


def test_speech_without_a_pause(
    talker: PrivateService, speech_without_a_pause: bench_seams.Speech, tmp_path: Path
) -> None:
    """No word is lost, doubled or changed where it is cut, and within a sentence there is no full stop or capital."""
    rows, reasons = dictate(talker, speech_without_a_pause, tmp_path / "speech.wav")
    assert reasons.count("length") >= 3
    assert {row.state for row in rows} == {"typed"}
    assert talker.text() == "".join(row.text or "" for row in rows)
    transcriber = Transcriber(configuration(SETTINGS)[1])
    once = {
        clip.tobytes(): "".join(piece.text for piece in transcriber.pieces(clip))
        for clip in speech_without_a_pause.alone
    }
    alone = [once[clip.tobytes()] for clip in speech_without_a_pause.alone]
    pieces = [
        Piece(row.first, row.end, row.text or "", reason)  # type: ignore[arg-type]
        for row, reason in zip(rows, reasons, strict=True)
    ]
    seams = judge(speech_without_a_pause.said, alone, pieces)
    assert any(seam.inside for seam in seams)
    for seam in seams:
        assert (seam.lost, seam.wrong, seam.doubled) == (0, 0, 0), seam
        assert (seam.capital, seam.stop) == (False, False), seam
    # And as a reader sees it: what begins a sentence is written large, and nothing else but names.
    for before, after in pairwise(pieces):
        ended = before.text.rstrip()[-1] in ".?!"
        assert re.match(r" [A-Z]", after.text) if ended else re.match(r" [a-z]", after.text), (before, after)


def test_without_context_the_seams_show(speech_without_a_pause: bench_seams.Speech) -> None:
    """Decoded alone, each piece ends in a full stop and begins with a capital: it is the context that mends."""
    alone = Transcriber(configuration((*SETTINGS, "stt.final.context=0"))[1])
    pieces = list(alone.pieces(speech_without_a_pause.samples[: 20 * SAMPLE_RATE]))
    assert any(seam.capital for seam in judge(speech_without_a_pause.said, speech_without_a_pause.said, pieces))
