"""Composition: what is told about a recording is what is in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.actors.audiofile import AudioFileError
from sottovoce.ops.compose import Samples, bounds, compose, quiet_runs, read_manifest
from sottovoce.ops.manifest import ManifestError

RATE = 16_000


def tone(seconds: float, level: float = 0.3) -> Samples:
    """Return a tone, which stands for speech."""
    wave: Samples = (level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)
    return wave


def silence(seconds: float) -> Samples:
    """Return nothing."""
    return np.zeros(round(seconds * RATE), np.float32)


def manifest(folder: Path, *entries: dict[str, object]) -> Path:
    """Write a manifest."""
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def clip(folder: Path, name: str, *parts: Samples, rate: int = RATE) -> str:
    """Write a clip and return its name."""
    soundfile.write(folder / name, np.concatenate(parts), rate, subtype="PCM_16")
    return name


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A manifest of a clip with silence around it, and one that begins and ends at once and has words with times."""
    clip(tmp_path, "a.wav", silence(0.7), tone(1.0), silence(0.4))
    clip(tmp_path, "b.wav", tone(2.0), silence(0.06), tone(2.5, 0.1))
    return manifest(
        tmp_path,
        {"audio": "a.wav", "text": "one", "lang": "en"},
        {"audio": "b.wav", "text": "two three", "lang": "en", "words": [["two", 0.0, 2.0], ["three", 2.06, 4.56]]},
    )


def test_onset_and_offset_are_where_the_sound_is(speech: Path) -> None:
    """Each utterance is loud between its onset and its offset, by 10 ms, and all else is faint noise."""
    found = compose(read_manifest(speech, "en"), gap_s=1.6, seed=1)
    lengths = [utterance.offset - utterance.onset for utterance in found.utterances]
    assert lengths == pytest.approx([1.0, 4.56], abs=0.02)
    loud = np.zeros(len(found.samples), bool)
    for utterance in found.utterances:
        loud[round((utterance.onset - 0.01) * RATE) : round((utterance.offset + 0.01) * RATE)] = True
    assert 1e-4 < np.abs(found.samples[~loud]).mean() < 1e-3
    assert np.abs(found.samples[loud]).mean() > 0.05
    assert found.seconds == len(found.samples) / RATE


@pytest.mark.parametrize("gap", [1.6, 0.8, 0.2])
def test_gaps_are_about_as_long_as_asked(speech: Path, gap: float) -> None:
    """From the end of one utterance to the beginning of the next are the seconds asked for, within a quarter."""
    one, two = compose(read_manifest(speech, "en"), gap_s=gap, seed=1).utterances
    assert gap * 0.75 - 0.02 <= two.onset - one.offset <= gap * 1.25 + 0.02


def test_a_gap_that_is_none_is_refused(speech: Path) -> None:
    """A gap below the margins that clips keep is an error."""
    with pytest.raises(ValueError, match="too short"):
        compose(read_manifest(speech, "en"), gap_s=0.1, seed=1)


def test_the_seed_decides(speech: Path) -> None:
    """One seed makes one recording, sample by sample, hesitation included; another makes another."""
    clips = read_manifest(speech, "en")
    one, same, other = (compose(clips, gap_s=0.8, seed=seed, hesitation=True) for seed in (5, 5, 6))
    assert one.utterances == same.utterances != other.utterances
    np.testing.assert_array_equal(one.samples, same.samples)


def test_a_clip_at_another_rate_keeps_its_times(tmp_path: Path) -> None:
    """A clip at 22.05 kHz is as long as it was."""
    name = clip(tmp_path, "c.wav", np.repeat(tone(1.0, 0.3), 2)[: round(1.5 * 22_050)], rate=22_050)
    clips = read_manifest(manifest(tmp_path, {"audio": name, "text": "one", "lang": "en"}), "en")
    (one,) = compose(clips, gap_s=1, seed=1).utterances
    assert one.offset - one.onset == pytest.approx(32_000 / 22_050, abs=0.02)


def test_quiet_is_relative_to_the_clip() -> None:
    """Bounds and quiet runs are the same for a clip that is a hundred times quieter."""
    samples = np.concatenate([silence(0.5), tone(0.5), silence(0.3), tone(0.5), silence(0.5)])
    assert bounds(samples) == bounds(samples / 100) == (8000, 28_800)
    assert (
        list(quiet_runs(samples[:28_800])) == list(quiet_runs(samples[:28_800] / 100)) == [(0, 8000), (16_000, 20_800)]
    )


def test_pauses_are_put_where_a_word_ends(speech: Path) -> None:
    """With word times, the one pause lies between the two words, and nothing of either is lost."""
    _, clip_ = read_manifest(speech, "en")
    (plain,) = compose([clip_], gap_s=1, seed=3).utterances
    found = compose([clip_], gap_s=1, seed=3, hesitation=True)
    (utterance,) = found.utterances
    assert plain.pauses == ()
    ((begins, ends),) = utterance.pauses
    assert 0.19 <= ends - begins <= 1.02
    assert begins - utterance.onset == pytest.approx(2.0, abs=0.02)
    assert utterance.offset - ends == pytest.approx(2.5, abs=0.02)
    inside = found.samples[round((begins + 0.01) * RATE) : round((ends - 0.01) * RATE)]
    assert np.abs(inside).max() < 0.01


def test_without_word_times_pauses_are_at_quiet_points(tmp_path: Path) -> None:
    """The quietest 60 ms are found, and a dip of 20 ms is passed over."""
    dips = [tone(1.0), tone(0.02, 0.0), tone(0.8), tone(0.06, 0.01), tone(1.2)]
    path = manifest(tmp_path, {"audio": clip(tmp_path, "d.wav", *dips), "text": "one two", "lang": "en"})
    for seed in range(5):
        (utterance,) = compose(read_manifest(path, "en"), gap_s=1, seed=seed, hesitation=True).utterances
        assert len(utterance.pauses) == 1
        assert utterance.pauses[0][0] - utterance.onset == pytest.approx(1.85, abs=0.06)


def test_a_pause_that_is_there_is_told(tmp_path: Path) -> None:
    """A natural pause of 0.2 s and more is in the truth; a shorter one is not."""
    name = clip(tmp_path, "e.wav", tone(1), silence(0.15), tone(1), silence(0.3), tone(1))
    clips = read_manifest(manifest(tmp_path, {"audio": name, "text": "one", "lang": "en"}), "en")
    ((begins, ends),) = compose(clips, gap_s=1, seed=1).utterances[0].pauses
    assert ends - begins == pytest.approx(0.3, abs=0.02)


def test_only_clips_of_the_language_with_a_text(tmp_path: Path) -> None:
    """Other languages, unknown and empty texts, and the same recording in another format are left out."""
    clip(tmp_path, "a.wav", tone(0.1))
    path = manifest(
        tmp_path,
        {"audio": "a.wav", "text": "hallo", "lang": "de"},
        {"audio": "gone.wav", "text": None, "lang": None},
        {"audio": "a.wav", "text": "", "lang": "en"},
        {"audio": "a.wav", "text": "hello", "lang": "en", "licence": "MIT"},
        {"audio": "a.wav", "text": "hello", "lang": "en"},
        {"audio": "a.wav", "text": "bye", "lang": "en"},
    )
    assert [found.text for found in read_manifest(path, "en")] == ["hello", "bye"]
    assert [found.text for found in read_manifest(path, "en", 1)] == ["hello"]
    with pytest.raises(ManifestError, match=r"lang is 'fr'"):
        read_manifest(path, "fr")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 3: "),
        ('{"text": "a", "lang": "en"}', r"line 3: .*`audio`"),
        ('{"audio": "a.wav", "text": "a", "lang": "en", "words": [["a", "b", 1]]}', r"line 3: .*words\[0\]\[1\]"),
        ('{"audio": "gone.wav", "text": "a", "lang": "en"}', r"line 3: .*gone\.wav is not a file"),
        ("\udcff", "line 3: "),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, said: str) -> None:
    """What is wrong in a manifest is told with the line; an empty line counts and is passed over."""
    path = tmp_path / "manifest.jsonl"
    clip(tmp_path, "a.wav", tone(0.1))
    path.write_bytes(b'{"audio": "a.wav", "text": "a", "lang": "en"}\n\n' + line.encode(errors="surrogateescape"))
    with pytest.raises(ManifestError, match=said):
        read_manifest(path, "en")


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A manifest that is not there and a clip that is silent are errors that name the file."""
    with pytest.raises(ManifestError, match=r"none\.jsonl: cannot be read"):
        read_manifest(tmp_path / "none.jsonl", "en")
    path = manifest(tmp_path, {"audio": clip(tmp_path, "s.wav", silence(1)), "text": "a", "lang": "en"})
    with pytest.raises(AudioFileError, match=r"s\.wav: is silent"):
        compose(read_manifest(path, "en"), gap_s=1, seed=1)
