"""`sottovoce bench guard`: what is refused of speech and of noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops import bench_guard
from sottovoce.ops.bench_guard import Judge, render, run
from sottovoce.ops.manifest import ManifestError

MODEL = "moonshine-tiny-en"
RATE = 16_000


@pytest.fixture(scope="module")
def judge(beckett: Path) -> Judge:
    """Return a judge with the embedded model."""
    return Judge(MODEL)


@pytest.fixture
def manifest(beckett: Path, tmp_path: Path) -> Path:
    """A clip in which somebody speaks and one in which nobody does."""
    (tmp_path / "speech.wav").symlink_to(beckett)
    hiss = np.random.default_rng(1).normal(0, 0.01, 3 * RATE).astype(np.float32)
    soundfile.write(tmp_path / "hiss.wav", hiss, RATE)
    lines = [{"audio": "speech.wav", "text": None, "lang": "en"}, {"audio": "hiss.wav", "text": "", "lang": ""}]
    path = tmp_path / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_speech_is_not_refused(judge: Judge, beckett: Path) -> None:
    """Every segment of ten seconds of real speech passes, and the VAD is sure of each."""
    found = list(judge.segments(decode_file(beckett)))
    assert found
    assert [each.reason for each in found] == [None] * len(found)
    assert all(each.evidence.sure is not None and each.evidence.sure > 0.7 for each in found)
    assert all(each.evidence.speech_s is not None and 0 < each.evidence.speech_s <= each.seconds for each in found)


@pytest.mark.parametrize("seconds", [1.0, 4.0])
def test_noise_is_refused_though_it_was_taken_for_speech(judge: Judge, seconds: float) -> None:
    """White noise that is handed to the recogniser: words come of it, and none is typed."""
    hiss = np.random.default_rng(1).normal(0, 0.01, round(seconds * RATE)).astype(np.float32)
    judged = judge.judge(hiss)
    assert judged.reason is not None
    assert judged.evidence.speech_s == pytest.approx(0.0, abs=0.1)


def test_both_tables(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every condition of every language, every noise; the recording in which nobody speaks is one of them."""
    monkeypatch.setattr(bench_guard, "PIECES_S", (1.0,))
    monkeypatch.setattr(bench_guard, "LEVELS_DB", (-46.0,))
    report = run(manifest, MODEL, pieces=1)
    assert [row["condition"] for row in report["speech"]] == [
        "as it is", "quiet", "faint", "clipping", "fan, 10 dB", "typing, 10 dB", "music, 10 dB", "recorded, 10 dB",
    ]  # fmt: skip
    assert report["speech"][0]["refused"] == 0
    assert [row["kind"] for row in report["noise"]] == [
        "hum50", "hum60", "fan", "typing", "music", "recorded", "white", "silence",
    ]  # fmt: skip
    assert all(row["forced"]["segments"] == 1 for row in report["noise"])
    shown = render(report)
    assert "| as it is | en | 1 |" in shown
    assert "| recorded | 1 |" in shown


def test_a_manifest_without_speech_is_told(tmp_path: Path) -> None:
    """There is nothing to be refused."""
    (tmp_path / "manifest.jsonl").write_text("\n")
    with pytest.raises(ManifestError, match="nobody speaks"):
        bench_guard._read(tmp_path / "manifest.jsonl")
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    with pytest.raises(ManifestError, match="line 1"):
        bench_guard._read(tmp_path / "manifest.jsonl")
