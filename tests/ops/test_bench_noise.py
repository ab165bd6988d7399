"""The benchmark of noise and level: what is mixed, and what is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from clips import SHORT, only

from sottovoce.models import Store
from sottovoce.ops import bench_noise
from sottovoce.ops.bench_noise import Strays, levelled, mixed, run
from sottovoce.ops.compose import Composition, Utterance, compose, read_manifest
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.noise import NOMINAL_DB, active_level, noises
from sottovoce.ops.rehearsal import Said

RATE = 16_000
MANIFEST = Path(__file__).parents[3] / "shared" / "speech" / "manifest.jsonl"


@pytest.fixture
def piece(tmp_path: Path) -> Composition:
    """A loud utterance and one that is 20 dB quieter, of tones that stand for speech."""
    for name, loud in (("a", 0.5), ("b", 0.05)):
        wave = loud * np.sin(2 * np.pi * 300 * np.arange(2 * RATE) / RATE)
        soundfile.write(tmp_path / f"{name}.wav", wave, RATE, subtype="PCM_16")
    lines = [{"audio": f"{name}.wav", "text": name, "lang": "en"} for name in "ab"]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return compose(read_manifest(tmp_path / "manifest.jsonl", "en"), gap_s=2.0, seed=1)


def span(utterance: Utterance) -> slice:
    """Return where an utterance is."""
    return slice(round(utterance.onset * RATE), round(utterance.offset * RATE))


def test_every_utterance_is_brought_to_the_same_level(piece: Composition) -> None:
    """Whatever it was recorded at; and nothing else of the composition changes."""
    found = levelled(piece)
    assert found.utterances == piece.utterances
    for utterance in found.utterances:
        assert active_level(found.samples[span(utterance)]) == pytest.approx(NOMINAL_DB, abs=0.1)


@pytest.mark.parametrize("snr", [20.0, 5.0, -5.0])
@pytest.mark.parametrize("kind", ["hum50", "fan", "typing", "music"])
def test_the_snr_is_what_was_asked(piece: Composition, kind: str, snr: float) -> None:
    """What was added to speech is by so many dB below it, for each utterance, measured as active level."""
    clean = levelled(piece)
    added = mixed(clean.samples, noises()[kind], snr, seed=1) - clean.samples
    for utterance in clean.utterances:
        found = active_level(clean.samples[span(utterance)]) - active_level(added)
        assert found == pytest.approx(snr, abs=0.15)


def test_a_mix_follows_from_its_seed(piece: Composition) -> None:
    """The same seed gives the same samples, another one others."""
    one, same, other = (mixed(piece.samples, noises()["fan"], 10.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_strays_are_segments_where_nobody_speaks() -> None:
    """A segment that an utterance reaches into is none, and those that the guard stopped are not typed."""
    utterances = (Utterance("a", 1.0, 2.0), Utterance("b", 5.0, 6.0))
    found = [
        Said(int(0.9 * RATE), int(1.5 * RATE), "a", 0),
        Said(int(1.9 * RATE), int(2.5 * RATE), "and", 0),
        Said(3 * RATE, 4 * RATE, "oh", 0),
        Said(7 * RATE, 8 * RATE, "", 0, "no words"),
    ]
    strays = bench_noise._strays(found, utterances, 10 * RATE)
    assert strays == Strays(found=2, refused=1, seconds=8.0)
    assert (strays + strays).as_dict() == {
        "strays": 4, "refused": 2, "typed": 2, "seconds": 16.0, "strays_an_hour": 900.0, "typed_an_hour": 450.0,
    }  # fmt: skip


def test_detection_is_the_share_of_speech_in_segments(piece: Composition) -> None:
    """One utterance of two lies in a segment, the other is missed; a pause in either counts for nothing."""
    first, second = piece.utterances
    middle = (first.onset + first.offset) / 2
    piece = replace(piece, utterances=(replace(first, pauses=((middle, first.offset),)), second))
    found = [Said(span(second).start - 1600, span(second).stop + 1600, "b", span(second).stop)]
    row = bench_noise._row([bench_noise._take(piece, found, "en")])
    assert row["detected"] == pytest.approx(2 / 3, abs=0.02)
    assert (row["missed"], row["utterances"], row["strays"]) == (1, 2, 0)
    assert row["wer"] == 0.5


@pytest.mark.parametrize(
    ("kind", "said"),
    [("thunder", "there is no noise or level 'thunder'; there are: quiet,"), ("voice", "has no clip of another")],
)
def test_a_kind_that_cannot_be_made_is_named(piece: Composition, tmp_path: Path, kind: str, said: str) -> None:
    """One that does not exist, with those that do; one that needs clips, with which."""
    with pytest.raises(OpsError, match=said):
        run(tmp_path / "manifest.jsonl", kinds=[kind])


def test_both_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real clips are heard in silence, quiet, and under a voice; who speaks alone is counted where nobody dictates."""
    for model in ("silero-v6", "moonshine-tiny-en"):
        if not Store().installed(model):
            pytest.skip("run: sottovoce models pull silero-v6 moonshine-tiny-en")
    if not MANIFEST.exists():
        pytest.skip("the clips of ../shared/speech are not here")
    monkeypatch.setattr(bench_noise, "GAP_S", 1.0)
    manifest = only((*SHORT, "clips/leopard_de.wav"), MANIFEST, tmp_path)  # and another voice
    report = run(manifest, kinds=["quiet", "voice"], snrs=[30.0], minutes=0.2)
    assert [(row["kind"], row["snr"]) for row in report["rows"]] == [
        ("none", None), ("quiet", None), ("quiet", 30.0), ("voice", 30.0),
    ]  # fmt: skip
    clean = report["rows"][0]
    assert clean["detected"] > 0.8
    assert (clean["missed"], clean["strays"]) == (0, 0)
    assert clean["wer"] < 0.2
    (alone,) = report["alone"]
    assert alone["strays"] > 0
    assert alone["strays_an_hour"] == pytest.approx(alone["strays"] * 300, abs=0.1)
    text = bench_noise.render(report)
    assert text.count("\n| ") == 2 + len(report["rows"]) + len(report["alone"])
