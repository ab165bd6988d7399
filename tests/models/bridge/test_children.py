"""The reference children: what they ask of their libraries, and what they make of the answers.

Neither library's weights can be had where this is tested. Stand-ins with the same signatures show that the boundary is
used as it is; `test_real_whisper.py` runs the real one of the two.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sottovoce.models import EngineFailed, EngineSettings, Entry, load_engine
from sottovoce.models.engines.bridge import Bridge

FAKES = Path(__file__).parent / "fakes"


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the stand-ins where children find them, and the audio into a directory of our own."""
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
    with tempfile.TemporaryDirectory(prefix="sottovoce-test-", dir="/dev/shm") as runtime:
        monkeypatch.setenv("SOTTOVOCE_RUNTIME_DIR", runtime)
        yield


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Return half a second of a WAV file."""
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(8_000, "<i2").tobytes())
    return path


def once(child: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a child's command line."""
    command = [sys.executable, "-m", f"sottovoce.models.bridge.{child}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def entry(child: str, **options: str | float | bool) -> Entry:
    """Return a catalogue entry of a child."""
    command = ("{python}", "-m", f"sottovoce.models.bridge.{child}")
    return Entry(
        name=child, task="asr", engine="bridge", licence="MIT", command=command, options=options, hotwords="prompt"
    )


def test_whisper_is_asked_and_answers(tmp_path: Path) -> None:
    """Language, vocabulary, threads and options reach `transcribe`; text, words and probability come back."""
    (tmp_path / "tiny.pt").touch()
    settings = EngineSettings(language="en", hotwords=("Sottovoce", "Zürich"), threads=2)
    engine = load_engine(entry("whisper", word_timestamps=True, beam_size=5, prompt="Minutes."), tmp_path, settings)
    assert isinstance(engine, Bridge)
    result = engine.decode(np.zeros(16_000, np.float32))
    engine.close()
    asked = {"prompt": "Minutes. Sottovoce, Zürich", "threads": 2, "fp16": False, "seconds": 1.0, "beams": 5}
    assert result.text == f"tiny.pt {asked}"
    assert [(word.text, word.start_s, word.end_s) for word in result.words] == [("asked", 0.0, 0.5)]
    assert result.log_prob == pytest.approx((3 * -0.25 + -1.25) / 4)
    assert (result.language, engine.device) == ("en", "cpu")


def test_whisper_finds_out_the_language(tmp_path: Path) -> None:
    """Without a chosen language, what the model found is told, and there is no prompt."""
    (tmp_path / "tiny.pt").touch()
    engine = load_engine(entry("whisper"), tmp_path)
    result = engine.decode(np.zeros(16_000, np.float32))
    engine.close()
    assert (result.language, result.words) == ("fr", ())
    assert "'prompt': None" in result.text


WRONG = {
    ("whisper", ()): "has no checkpoint",
    ("whisper", ("a.pt", "b.pt")): "has 2 checkpoints; name one with option checkpoint",
    ("qwen3", ()): r"has no config\.json; pull the model, or set option repository",
}


@pytest.mark.parametrize(("child", "files"), WRONG)
def test_a_directory_without_the_model_is_told(tmp_path: Path, child: str, files: tuple[str, ...]) -> None:
    """What is missing in the model's directory, or is there twice, is named."""
    for file in files:
        (tmp_path / file).touch()
    with pytest.raises(EngineFailed, match=WRONG[child, files]):
        load_engine(entry(child), tmp_path)


@pytest.mark.parametrize("child", ["whisper", "qwen3"])
def test_an_unknown_option_is_named(tmp_path: Path, child: str) -> None:
    """A misspelt option is not passed over."""
    with pytest.raises(EngineFailed, match="option beans is none of"):
        load_engine(entry(child, beans=5), tmp_path)


@pytest.mark.parametrize(("child", "package"), [("whisper", "openai-whisper"), ("qwen3", "qwen-asr")])
def test_a_missing_package_is_named(tmp_path: Path, child: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library is not installed, the command that brings it is told."""
    monkeypatch.delenv("PYTHONPATH")
    options = {"name": "tiny"} if child == "whisper" else {"repository": "Qwen/Qwen3-ASR-0.6B"}
    with pytest.raises(EngineFailed, match=f"No module named.*pip install {package}"):
        load_engine(entry(child, **options), tmp_path)


def test_whisper_may_fetch_a_model_by_name(tmp_path: Path) -> None:
    """Option `name` has the package fetch a model into the directory."""
    engine = load_engine(entry("whisper", name="base"), tmp_path)
    assert engine.decode(np.zeros(800, np.float32)).text.startswith(f"base@{tmp_path.name} ")
    engine.close()


def test_qwen3_is_asked_and_answers(tmp_path: Path) -> None:
    """Language by name, vocabulary as context, times of the aligner."""
    (tmp_path / "config.json").touch()
    settings = EngineSettings(language="de", hotwords=("Sottovoce", "Zürich"), threads=2)
    options = {"aligner": "Qwen/Qwen3-ForcedAligner-0.6B", "context": "Minutes."}
    engine = load_engine(entry("qwen3", **options), tmp_path, settings)
    result = engine.decode(np.zeros(16_000, np.float32))
    engine.close()
    asked = {"context": "Minutes. Sottovoce Zürich", "threads": 2, "seconds": 1.0}
    assert result.text == f"{tmp_path.name} {asked | {'tokens': 512, 'dtype': 'float32', 'device_map': 'cpu'}}"
    assert [(word.text, word.end_s) for word in result.words] == [("asked", 0.5)]
    assert (result.language, result.log_prob) == ("de", None)


def test_qwen3_finds_out_the_language(tmp_path: Path) -> None:
    """Of the languages that it found, the first is told, by its code."""
    engine = load_engine(entry("qwen3", repository="Qwen/Qwen3-ASR-0.6B", dtype="bfloat16"), tmp_path)
    result = engine.decode(np.zeros(16_000, np.float32))
    engine.close()
    assert (result.language, result.words) == ("zh", ())
    assert result.text.startswith("Qwen3-ASR-0.6B ")


def test_a_language_that_the_model_does_not_have_is_told(tmp_path: Path) -> None:
    """What cannot be asked for is refused, by us where it has no name, by the library where it has."""
    for language, why in (("xx", "language 'xx' is none"), ("cy", "ValueError in qwen_asr.py")):
        settings = EngineSettings(language=language)
        engine = load_engine(entry("qwen3", repository="Qwen/Qwen3-ASR-0.6B"), tmp_path, settings)
        with pytest.raises(EngineFailed, match=why):
            engine.decode(np.zeros(16_000, np.float32))
        engine.close()


def test_the_command_line_prints_one_object(sound: Path, tmp_path: Path) -> None:
    """`--once FILE --json` prints one line, the same each time, keys in order; times only when they are asked for."""
    (tmp_path / "tiny.pt").touch()
    arguments = ["--once", str(sound), "--json", "--directory", str(tmp_path), "--language", "en", "--hotword", "x"]
    first, second = once("whisper", *arguments), once("whisper", *arguments)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    told = json.loads(first.stdout)
    assert list(told) == ["audio_s", "language", "log_prob", "text", "tokens", "words"]
    assert (told["audio_s"], told["language"]) == (0.5, "en")
    timed = json.loads(once("whisper", *arguments, "--times").stdout)
    assert timed.keys() - told.keys() == {"decode_s", "load_s"}


def test_the_command_line_says_what_is_wrong(sound: Path, tmp_path: Path) -> None:
    """A bad file is exit status 4, a model that does not load 1, a wrong option 2; each with a line that says why."""
    (tmp_path / "noise.wav").write_bytes(b"RIFF and no more")
    for arguments, status, why in (
        (["--once", str(tmp_path / "gone.wav")], 4, "no such file"),
        (["--once", str(tmp_path / "noise.wav")], 4, "cannot be read"),
        (["--once", str(sound), "--directory", str(tmp_path)], 1, "has no checkpoint"),
        (["--once", str(sound), "--option", "name"], 2, "expected KEY=VALUE"),
    ):
        done = once("whisper", *arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert why in done.stderr


def test_the_shell_example_works(tmp_path: Path) -> None:
    """The child in docs/examples hears with any program: text comes back, and a failure costs that decode only."""
    if shutil.which("jq") is None:
        pytest.skip("needs jq; run: apt install jq")
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\n[ "$(wc -c < "$2")" -gt 400 ] && printf \'%s \\n"ü"\' "$1" && cat\n')
    program.chmod(0o700)
    script = str(Path(__file__).parents[3] / "docs" / "examples" / "bridge_child.sh")
    command = (script, str(program), "{directory}")
    engine = load_engine(Entry(name="shell", task="asr", engine="bridge", licence="MIT", command=command), tmp_path)
    assert isinstance(engine, Bridge)
    assert engine.decode(np.zeros(800, np.float32)).text == f'{tmp_path} \n"ü"'
    pid = engine.pid
    with pytest.raises(EngineFailed, match="the program failed"):
        engine.decode(np.zeros(100, np.float32))
    engine.unload()
    assert engine.decode(np.zeros(101, np.float32)).text.endswith('"ü"')
    assert engine.pid == pid
    engine.close()
