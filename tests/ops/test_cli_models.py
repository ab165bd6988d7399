"""`sottovoce models list` and `models info`, as people and programs see them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sottovoce.ops.exceptions import EXIT_CONFIGURATION, EXIT_USAGE

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]
MINE = """
[models.vast]
task = "asr"
engine = "sherpa"
about = "larger than any machine"
licence = "MIT"
languages = ["en", "de"]
memory = 900_000_000
constructor = "from_nemo_ctc"
sources = [{ type = "url", url = "https://models.example/vast.onnx" }]
files = [{ name = "vast.onnx" }]
arguments = { model = "vast.onnx" }

[[models.vast.wer]]
dataset = "my own voice"
percent = 12.5
source = "me"

[models.attic]
task = "asr"
engine = "remote"
licence = "MIT"
url = "http://attic.example/v1"
"""


@pytest.fixture
def user_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two models of the user's own."""
    (tmp_path / "sottovoce").mkdir()
    (tmp_path / "sottovoce" / "models.toml").write_text(MINE)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_models_are_listed(sottovoce: Sottovoce) -> None:
    """As a table for people and as JSON for programs, in name order, with what there is to choose by."""
    done = sottovoce("models", "list", "--json")
    models = json.loads(done.stdout)
    names = [model["name"] for model in models]
    assert names == sorted(names)
    assert {"moonshine-tiny-en", "silero-v6", "beckett"} <= set(names)
    wanted = {"name", "task", "languages", "licence", "bytes", "installed", "fit", "why", "recommended_for"}
    assert all(wanted <= set(model) for model in models)
    assert done.stderr == ""
    header, *rows = sottovoce("models", "list").stdout.splitlines()
    assert header.split() == ["NAME", "TASK", "LANGUAGES", "SIZE", "HERE", "FITS", "LICENCE"][: len(header.split())]
    assert [row.split()[0] for row in rows] == names


def test_what_is_recommended_is_marked(sottovoce: Sottovoce) -> None:
    """The table marks the models that JSON has languages for, and says below it which languages they are."""
    best = {m["name"]: m["recommended_for"] for m in json.loads(sottovoce("models", "list", "--json").stdout)}
    done = sottovoce("models", "list")
    marked = {row.split()[0] for row in done.stdout.splitlines() if row.split()[1] == "*"}
    assert marked == {name for name, languages in best.items() if languages}
    assert [line.split()[1] for line in done.stderr.splitlines()] == sorted(marked)


def test_the_list_can_be_narrowed(sottovoce: Sottovoce) -> None:
    """By task and by language; what knows no language, as a voice detector, knows them all."""
    assert [m["name"] for m in json.loads(sottovoce("models", "list", "--json", "--task", "vad").stdout)] == [
        "silero-v6"
    ]
    german = json.loads(sottovoce("models", "list", "--json", "--language", "de").stdout)
    assert {"parakeet-tdt-0.6b-v3-int8", "canary-180m-flash", "silero-v6"} <= {m["name"] for m in german}
    assert all(not m["languages"] or "de" in m["languages"] for m in german)
    assert {language for m in german for language in m["recommended_for"]} <= {"de"}


@pytest.mark.parametrize(("option", "value", "says"), [("--task", "tea", "asr, vad"), ("--language", "xx", "ISO 639")])
def test_a_filter_that_fits_nothing_is_refused(sottovoce: Sottovoce, option: str, value: str, says: str) -> None:
    """A task or a language that does not exist is an error that says what there is, not an empty table."""
    done = sottovoce("models", "list", option, value)
    assert done.returncode == EXIT_USAGE
    assert done.stdout == ""
    assert says in " ".join(done.stderr.replace("│", " ").split())


def test_a_model_that_does_not_fit_says_why(sottovoce: Sottovoce, user_models: None) -> None:
    """One that is too large is listed with what it takes and what there is; one that runs elsewhere fits."""
    models = {m["name"]: m for m in json.loads(sottovoce("models", "list", "--json").stdout)}
    assert (models["vast"]["fit"], models["vast"]["memory_class"], models["vast"]["bytes"]) == ("no", "huge", None)
    assert "takes 900000.0 GB" in models["vast"]["why"]
    assert models["attic"]["fit"] == "fits"
    row = next(row for row in sottovoce("models", "list").stdout.splitlines() if row.startswith("vast "))
    assert "  no: takes " in row


def test_info_tells_everything(sottovoce: Sottovoce) -> None:
    """Licence, languages, error rates with who says so, memory, and each source and file with its checksum."""
    page = sottovoce("models", "info", "parakeet-tdt-0.6b-v3-int8").stdout
    assert page.startswith("parakeet-tdt-0.6b-v3-int8: Parakeet TDT 0.6B v3")
    for wanted in (
        "CC-BY-4.0", "uk", "sherpa from_transducer", "1.93 % LibriSpeech test-clean (en): NVIDIA's model card",
        "MB (catalogue), medium", "sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8.tar.bz2, 487.2 MB",
        "5793d0fd397c5778d2cf2126994d58e9d56b1be7c04d13c7a15bb1b4eafb16bf", "encoder.int8.onnx, 652.2 MB",
    ):  # fmt: skip
        assert wanted in page
    about = json.loads(sottovoce("models", "info", "moonshine-tiny-en", "--json").stdout)
    assert about["wer"][0]["source"].startswith("moonshine-ai/moonshine")
    assert [file["name"] for file in about["files"]][-1] == "tokens.txt"
    assert about["sources"][0]["title"] == "moonshine-voice==0.0.49"
    assert about["constructor"] == "from_moonshine_v2"


def test_info_on_a_model_of_the_users_own(sottovoce: Sottovoce, user_models: None) -> None:
    """What is not known of a model is left out or said to be so; how it comes here is said, too."""
    page = sottovoce("models", "info", "vast").stdout
    assert "12.5 % my own voice (en): me" in page
    assert "run: sottovoce models pull vast" in page
    assert "vast.onnx, no checksum is published" in page
    page = sottovoce("models", "info", "attic").stdout
    assert "http://attic.example/v1" in page
    assert "it has no files of its own" in page
    assert "None" not in page


def test_info_on_an_unknown_model(sottovoce: Sottovoce) -> None:
    """A slip of the finger is answered with the name that was meant."""
    done = sottovoce("models", "info", "wisper-tiny")
    assert done.returncode == EXIT_CONFIGURATION
    assert "did you mean whisper-tiny?" in done.stderr
