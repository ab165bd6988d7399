"""The rehearsal, and the two tables that are made with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import SHORT, only

from sottovoce.actors.audiofile import decode_file
from sottovoce.models import Store
from sottovoce.ops import bench_endpoint
from sottovoce.ops.rehearsal import Rehearsal
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import Config, VadConfig

MANIFEST = Path(__file__).parents[3] / "shared" / "speech" / "manifest.jsonl"


@pytest.fixture(scope="module")
def rehearsal() -> Rehearsal:
    """With decodes of 0.2 s."""
    for model in ("silero-v6", "moonshine-tiny-en", "beckett"):
        if not Store().installed(model):
            pytest.skip("run: sottovoce models pull silero-v6 moonshine-tiny-en beckett")
    return Rehearsal(Config(), decode_s=0.2)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two short clips."""
    if not MANIFEST.exists():
        pytest.skip("the clips of ../shared/speech are not here")
    return only(SHORT, MANIFEST, tmp_path)


def test_it_hears_what_is_said(rehearsal: Rehearsal) -> None:
    """Each sentence once, in order; each text is there when its silence is over and its decode is done, not before."""
    samples = decode_file(Store().path("beckett") / "beckett.wav")
    said = rehearsal.run(np.pad(samples, (0, 2 * SAMPLE_RATE)), Config(vad=VadConfig(endpoint=0.5)))
    words = [word.strip(".,!?").lower() for segment in said for word in segment.text.split()]
    assert words == [
        "ever",
        "tried",
        "ever",
        "failed",
        "no",
        "matter",
        "try",
        "again",
        "fail",
        "again",
        "fail",
        "better",
    ]
    for segment in said:
        waited = (segment.at - segment.end) / SAMPLE_RATE + Config().vad.tail
        assert 0.5 <= waited <= 0.5 + 0.033


def test_a_decode_that_outlasts_the_silence_is_waited_for(rehearsal: Rehearsal) -> None:
    """A silence of 0.2 s closes the segment before the decode of 0.2 s, begun after 0.1 s, is done."""
    samples = decode_file(Store().path("beckett") / "beckett.wav")
    said = rehearsal.run(np.pad(samples, (0, 2 * SAMPLE_RATE)), Config(vad=VadConfig(endpoint=0.2)))
    assert min(segment.at - segment.end + 0.096 * SAMPLE_RATE for segment in said) >= 0.29 * SAMPLE_RATE


def test_a_longer_silence_cuts_less_and_comes_later(
    rehearsal: Rehearsal, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of fixed silences the longer one is later, and cuts no more of the pauses; each profile is a row, too."""
    monkeypatch.setattr(bench_endpoint, "SILENCES_S", (0.3, 0.8))
    monkeypatch.setattr(bench_endpoint, "Rehearsal", lambda _: rehearsal)
    report = bench_endpoint.endpoint(manifest, language="en", clips=1, seeds=1)
    short, long, *profiles = report["rows"]
    assert short["fluent"]["ttfs_p50"] < long["fluent"]["ttfs_p50"]
    assert short["hesitant"]["pauses_cut"] >= long["hesitant"]["pauses_cut"]
    assert [row["endpoint"] for row in profiles] == ["fast", "balanced", "patient"]
    assert {row["fluent"]["utterances"] for row in report["rows"]} == {2}  # with each gap
    assert len(bench_endpoint.render_endpoint(report).splitlines()) == 2 + len(report["rows"])


def test_padding_is_a_table_of_error_rates(
    rehearsal: Rehearsal, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pre-roll with each tail."""
    monkeypatch.setattr(bench_endpoint, "TAILS_S", (0.096,))
    monkeypatch.setattr(bench_endpoint, "PREROLLS_S", (0.1, 0.3))
    monkeypatch.setattr(bench_endpoint, "Rehearsal", lambda _: rehearsal)
    report = bench_endpoint.padding(manifest, language="en", clips=2, seeds=1)
    assert [(row["tail"], row["preroll"]) for row in report["rows"]] == [(0.096, 0.1), (0.096, 0.3)]
    assert all(0 <= row["wer"] < 0.5 for row in report["rows"])
    assert bench_endpoint.render_padding(report).count("%") == 2
