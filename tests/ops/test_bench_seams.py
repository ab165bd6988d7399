"""Speech that is parted, and what is told of its seams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import SHORT, only

from sottovoce.models import Store
from sottovoce.ops import bench_seams
from sottovoce.ops.compose import quiet_runs, read_manifest
from sottovoce.ops.seams import Seam, judge
from sottovoce.ops.transcribe import Piece
from sottovoce.protocol.clocks import SAMPLE_RATE

MANIFEST = Path(__file__).parents[3] / "shared" / "speech" / "manifest.jsonl"
SAID = ["we went to the old mill. It was closed.", "Nobody was there"]


@pytest.fixture
def manifest() -> Path:
    """The clips."""
    if not MANIFEST.exists():
        pytest.skip("the clips of ../shared/speech are not here")
    return MANIFEST


def seams(
    *texts: str, alone: tuple[str, str] = ("We went to the old mill. It was closed.", "Nobody was there.")
) -> list[Seam]:
    """Judge a speech that is typed in these pieces."""
    return judge(SAID, alone, [Piece(number, number + 1, text, "length") for number, text in enumerate(texts)])


def faults(seam: Seam) -> dict[str, int]:
    """Return what is wrong at a seam."""
    names = ("lost", "wrong", "doubled", "capital", "stop", "stop_missing")
    return {name: int(getattr(seam, name)) for name in names if getattr(seam, name)}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("We went to the", " old mill. It was closed. Nobody was there.", {}),
        ("We went to the.", " Old mill. It was closed. Nobody was there.", {"capital": 1, "stop": 1}),
        ("We went to", " old mill. It was closed. Nobody was there.", {"lost": 1}),
        ("We went to the", " the old mill. It was closed. Nobody was there.", {"doubled": 1}),
        ("We went to the", " cold mill. It was closed. Nobody was there.", {"wrong": 1}),
        ("We went to the old mill.", " It was closed. Nobody was there.", {}),
        ("We went to the old mill", " It was closed. Nobody was there.", {}),
        ("We went to the old mill. It was closed.", " Nobody was there.", {}),
        ("We went to the old mill. It was closed", " nobody was there.", {"stop_missing": 1}),
    ],
)
def test_what_is_wrong_at_a_seam(before: str, after: str, expected: dict[str, int]) -> None:
    """Words that are lost, changed or there twice, and sentences that begin or end where none does."""
    (seam,) = seams(before, after)
    assert faults(seam) == expected
    assert seam.inside == (not before.endswith(("closed", "closed.")))


def test_what_the_recogniser_never_gets_is_not_the_seams_fault() -> None:
    """A word that is wrong, or missing, or written large where the clip is not parted either."""
    (seam,) = seams(
        "We went to the.", " Bold mill. It was closed. Nobody was there.",
        alone=("We went to the. Bold mill. It was closed.", "Nobody was there."),
    )  # fmt: skip
    assert faults(seam) == {}


def test_a_word_far_from_a_seam_is_not_its_fault() -> None:
    """Two words on each side count."""
    (seam,) = seams("We want to the old", " mill. It was closed. Nobody was.")
    assert faults(seam) == {}


def test_who_does_not_pause(manifest: Path) -> None:
    """A speaker's clips, as long as wished, with no quiet that closes a segment; the same seed gives the same."""
    clips = read_manifest(manifest, "en")
    speeches = list(bench_seams.monologues(clips, seeds=1, seconds=30))
    assert len(speeches) == 2
    for speech, again in zip(speeches, bench_seams.monologues(clips, seeds=1, seconds=30), strict=True):
        assert np.array_equal(speech.samples, again.samples)
        assert len(speech.samples) >= 30 * SAMPLE_RATE
        assert len(speech.said) == len(speech.alone)
        inner = speech.samples[SAMPLE_RATE : -2 * SAMPLE_RATE]
        assert not list(quiet_runs(inner, 0.35))  # what fades at a clip's ends adds to the 0.2 s between them


def test_who_stops_in_mid_sentence(manifest: Path) -> None:
    """There are silences within the clips, and nothing of the clips is missing."""
    clips = read_manifest(manifest, "en", 4)
    (speech,) = bench_seams.interrupted(clips, seeds=1)
    assert len(speech.alone) == len(speech.said) == 4
    length = sum(map(len, speech.alone))
    within = len(speech.samples) - length - (1 + 4 * 1.6) * SAMPLE_RATE
    assert within >= 4 * 0.6 * SAMPLE_RATE


def test_the_table(manifest: Path, tmp_path: Path) -> None:
    """Both kinds have their figures and a line in the table, and every fault is that of a seam that is told."""
    for model in ("silero-v6", "moonshine-tiny-en"):
        if not Store().installed(model):
            pytest.skip("run: sottovoce models pull silero-v6 moonshine-tiny-en")
    short = only(SHORT, manifest, tmp_path)
    report = bench_seams.run(short, language="en", seeds=1, minutes=0.25, settings=["vad.max_segment=5"])
    for kind in ("long", "resumed"):
        row = report[kind]
        assert row["seams"] == len(row["found"]) > 0
        assert row["inside"] == sum(seam["inside"] for seam in row["found"])
        for name in ("lost", "wrong", "doubled", "capital", "stop", "stop_missing"):
            assert row[name] == sum(int(seam[name]) for seam in row["found"])
        assert 0 <= row["wer_alone"] < 0.3
    assert report["long"]["cuts"] == report["long"]["seams"]
    assert len(bench_seams.render(report).splitlines()) == 4
