"""Where a sentence ends, in the running service: somebody stops to think in the midst of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace
from numpy.typing import NDArray

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.ops.rehearsal import Rehearsal
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import Config
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Final, Reading
from sottovoce.protocol.rows import UtteranceRow

PAUSE_S = 0.75  # longer than the silence behind a finished sentence, shorter than the one behind "the"
PACE = 0.4  # so that the reading of a pause comes within it on a machine that is busy, too


@pytest.fixture
def thinker(speech: Path, tmp_path: Path) -> Path:
    """Return "Mr. Quilter is the apostle of the ... middle classes", with a pause in the place of the dots."""
    clips = map(json.loads, (speech / "manifest.jsonl").read_text().splitlines())
    clip = next(clip for clip in clips if clip.get("words") and "apostle" in clip["text"])
    words = [word for word, _, _ in clip["words"]]
    middle = words.index("middle")
    samples = decode_file(speech / clip["audio"])
    at = round((clip["words"][middle - 1][2] + clip["words"][middle][1]) / 2 * SAMPLE_RATE)
    end = round((clip["words"][words.index("classes")][2] + 0.1) * SAMPLE_RATE)
    path = tmp_path / "thinker.wav"
    soundfile.write(path, np.concatenate([samples[:at], hush(PAUSE_S), samples[at:end], hush(0.3)]), SAMPLE_RATE)
    return path


def hush(seconds: float) -> NDArray[np.float32]:
    """Return faint noise."""
    return (np.random.default_rng(5).standard_normal(round(seconds * SAMPLE_RATE)) * 3e-4).astype(np.float32)


@pytest.fixture(scope="module")
def running(speech: Path) -> Iterator[PrivateService]:
    """A service as it is configured by default."""
    with private_service() as service:
        yield service


def dictate(service: PrivateService, audio: Path, pace: float) -> tuple[list[UtteranceRow], list[str], list[bool]]:
    """Dictate a file; return the utterances, how they were read in pauses, and which were continued."""
    endings, continued = [], []
    for event in feed(service.paths, audio, pace=pace):
        if isinstance(event.body, Reading):
            endings.append(event.body.ending)
        elif isinstance(event.body, Final):
            continued.append(event.body.continues)
    journal = Journal(service.paths.journal(keep="30d"))
    try:
        newest = journal.recording()
        assert newest is not None
        return journal.utterances(generation=newest.generation), endings, continued
    finally:
        journal.close()


def test_who_thinks_behind_the_is_not_cut(running: PrivateService, thinker: Path) -> None:
    """A pause behind a word that ends no sentence is waited out: one utterance, without a full stop in its midst."""
    rows, endings, _ = dictate(running, thinker, PACE)
    assert "hanging" in endings
    (row,) = rows
    assert re.search(r"apostle of the middle classes", row.text or "")


def test_a_fixed_silence_cuts_and_the_seam_is_mended(thinker: Path) -> None:
    """With 0.5 s whatever is said, the same pause cuts; still no full stop and no capital come between the pieces."""
    with private_service(config="[vad]\nendpoint = 0.5\n[stt.draft]\nenabled = false\n") as service:
        rows, _, continued = dictate(service, thinker, 0)
    assert len(rows) == 2
    assert continued == [False, True]
    assert re.search(r"apostle of the middle classes", "".join(row.text or "" for row in rows))


@pytest.fixture
def reader(speech: Path, tmp_path: Path) -> Path:
    """Return a sentence whose reader stops at "concerned", his voice held up, for 0.46 s instead of 0.35 s."""
    samples = decode_file(speech / "clips" / "LJ001-0001.wav")
    quiet = np.convolve(np.square(samples), np.ones(3_200) / 3_200, "same")
    at = int(np.argmin(quiet[4 * SAMPLE_RATE : 5 * SAMPLE_RATE])) + 4 * SAMPLE_RATE
    path = tmp_path / "reader.wav"
    rest = samples[at : at + SAMPLE_RATE]
    soundfile.write(path, np.concatenate([samples[:at], hush(0.11), rest, hush(0.3)]), SAMPLE_RATE)
    return path


def test_a_voice_that_is_held_up_is_waited_for(running: PrivateService, reader: Path) -> None:
    """The words may be the last, and the voice says that they are not: one utterance; two without its judge."""
    assert len(dictate(running, reader, PACE)[0]) == 1
    deaf = replace(Config(), vad=replace(Config().vad, turn=""))
    assert len(Rehearsal(deaf).run(decode_file(reader), deaf)) == 2
