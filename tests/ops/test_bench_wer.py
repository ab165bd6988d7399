"""`sottovoce bench wer`: models in processes of their own, on the same clips."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.actors.audiofile import AudioFileError
from sottovoce.models import LanguageUnknown, ModelMissing, UnknownModel
from sottovoce.ops import bench_wer
from sottovoce.ops.compose import Clip
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.manifest import ManifestError
from sottovoce.ops.usage import family
from sottovoce.ops.wer_process import Job, hear

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]
MODEL = "moonshine-tiny-en"
TEXT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
OTHER = "Ever tried, ever failed."


@pytest.fixture
def manifest(beckett: Path, tmp_path: Path) -> Path:
    """Two clips of one recording, one of them with a text that is too short by half, and one in another language."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.wav").symlink_to(beckett)
    lines = [
        {"audio": "a.wav", "text": TEXT, "lang": "en"},
        {"audio": "b.wav", "text": OTHER, "lang": "en"},
        {"audio": "c.wav", "text": "Immer versucht.", "lang": "de"},
    ]
    path = tmp_path / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_model_is_measured(manifest: Path) -> None:
    """Words, speed and memory of what it knows; the text that is too short makes as many words too many."""
    report = bench_wer.run(manifest, [MODEL], words=True)
    (model,) = report["models"]
    (row,) = model["rows"]
    assert (model["failed"], row["language"], row["clips"], row["words"]) == (None, "en", 2, 16)
    assert report["left_out"] == {"de": [MODEL]}
    assert row["insertions"] >= 6
    assert row["wer"] == pytest.approx((row["substitutions"] + row["insertions"] + row["deletions"]) / 16, abs=1e-4)
    assert row["raw_wer"] >= row["wer"] - 1e-9
    assert 0 < model["rtf"] < 5
    assert 0 < model["before_mib"] < model["loaded_mib"] <= model["peak_mib"] * 1.05
    assert sum(word["times"] for word in model["words"]) > 0
    assert [clip["audio"] for clip in model["by_clip"]] == ["a.wav", "b.wav"]


def test_two_models_are_compared_clip_by_clip() -> None:
    """A model that gets a word of each clip wrong which the other gets right is surely worse there, and in all."""
    clips = [Clip(Path(f"{number}.wav"), "the cat sat down") for number in range(6)]
    right = [bench_wer._compare("en", clip, clip.text) for clip in clips]
    wrong = [bench_wer._compare("en", clip, "the cat sat town") for clip in clips]
    german = [bench_wer._compare("de", clip, clip.text) for clip in clips]
    rows = bench_wer._differences("a", "b", {"a": [*right, *german], "b": [*wrong, *german]})
    assert [(row["language"], row["verdict"]) for row in rows] == [
        ("en", "worse"), ("de", "no sure difference"), (bench_wer.ALL, "worse"),
    ]  # fmt: skip
    assert rows[0]["difference"] == 0.25
    assert rows[2]["difference"] == 0.125


def test_a_model_whose_process_dies_is_told_of(beckett: Path) -> None:
    """It was killed by a signal, at a clip; what it had heard before does not count."""

    def strike(_: str) -> None:
        for pid in family(os.getpid()):
            if b"wer_child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGSEGV)

    heard = hear(Job(MODEL, 1, "", [beckett] * 20), tell=strike)
    assert heard.failed is not None
    assert heard.failed.startswith("its process was killed by SIGSEGV")
    assert heard.failed.endswith("at beckett.wav")


def test_a_model_that_hangs_is_killed(beckett: Path) -> None:
    """And told of, with the time that it was given."""
    heard = hear(Job(MODEL, 1, "", [beckett]), limit_s=0.05)
    assert heard.failed == "its process said nothing for 0.05 s and was killed while it was loaded"


def test_a_recording_that_cannot_be_read_is_the_manifest_s_fault(beckett: Path, tmp_path: Path) -> None:
    """It is an error, named, and not the model's."""
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioFileError, match=r"bad\.wav"):
        hear(Job(MODEL, 1, "", [tmp_path / "bad.wav"]))


def test_a_long_recording_is_decoded_in_segments(beckett: Path, tmp_path: Path) -> None:
    """Three times ten seconds, with silence between, are more than an engine takes at once; all of it is heard."""
    samples, rate = soundfile.read(beckett, dtype="float32")
    parts = [samples, np.zeros(2 * rate, np.float32)] * 3
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts), rate)
    heard = hear(Job(MODEL, 1, "", [tmp_path / "long.wav"]))
    assert heard.failed is None
    assert heard.texts[0].lower().count("no matter") == 3


@pytest.mark.parametrize(
    ("models", "error", "said"),
    [
        ([], OpsError, "name each model once"),
        ([MODEL, MODEL], OpsError, "name each model once"),
        (["silero-v6"], OpsError, "recognises no speech"),
        (["moonshine"], UnknownModel, "did you mean"),
    ],
)
def test_models_that_cannot_be_compared_are_told(
    manifest: Path, models: list[str], error: type[Exception], said: str
) -> None:
    """None, one twice, one that hears nothing, one that there is not; before anything is loaded."""
    with pytest.raises(error, match=said):
        bench_wer.run(manifest, models)


def test_a_language_that_the_model_lacks_is_told(manifest: Path) -> None:
    """Where it was asked for; else its clips are left out, and if none are left that is told."""
    with pytest.raises(LanguageUnknown, match="does not know language 'de'"):
        bench_wer.run(manifest, [MODEL], language="de")
    manifest.write_text(manifest.read_text().splitlines()[-1])
    with pytest.raises(ManifestError, match=f"has no clip in a language that is known to {MODEL}"):
        bench_wer.run(manifest, [MODEL])


def test_a_model_that_is_not_pulled_is_told(manifest: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the command that pulls it, before anything runs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ModelMissing, match=f"sottovoce models pull {MODEL}"):
        bench_wer.run(manifest, [MODEL])


def test_the_command(sottovoce: Sottovoce, manifest: Path) -> None:
    """The model that types is measured unless another is named; a manifest that is wrong is bad input.

    A report without --words holds figures and file names, no text; the tables have a row a language and a model.
    """
    done = sottovoce("bench", "wer", manifest, "--clips", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert "tried" not in done.stdout
    report = json.loads(done.stdout)
    assert [model["model"] for model in report["models"]] == [MODEL]
    shown = bench_wer.render(report)
    assert f"| {MODEL} | en | 1 | 12 |" in shown
    assert f"Left out: the clips in de, which {MODEL} does not know." in shown
    manifest.write_text('{"audio": 1}\n')
    wrong = sottovoce("bench", "wer", manifest)
    assert wrong.returncode == 4
    assert "line 1" in wrong.stderr


def test_a_model_that_failed_has_no_rows_and_is_named(manifest: Path) -> None:
    """In the report, in the tables, and by the command's exit code."""
    report = bench_wer.run(manifest, [MODEL], limit_s=0.05)
    assert report["models"][0]["rows"] == []
    assert bench_wer.failed(report)
    assert f"{MODEL} failed: its process said nothing for 0.05 s" in bench_wer.render(report)
