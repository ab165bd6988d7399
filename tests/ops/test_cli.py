from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import soundfile
import typer
from jiwer import wer

from sottovoce.ops.cli import app
from sottovoce.ops.exceptions import (
    EXIT_BAD_INPUT,
    EXIT_CONFIGURATION,
    EXIT_FAILED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
)
from sottovoce.protocol.config import Config
from sottovoce.protocol.paths import Paths

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]
SAID = "ever tried ever failed no matter try again fail again fail better"


WHOLE = typer.main.get_command(app)


def commands(group: object = WHOLE, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command's words, groups and the whole included."""
    yield prefix
    inner = getattr(group, "commands", {})
    for name, command in inner.items():
        yield from commands(command, (*prefix, name))


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` and `-h` say what a command does, in words and not only in options."""
    for option in ("--help", "-h"):
        with pytest.raises(SystemExit) as ended:
            WHOLE.main([*command, option], prog_name="sottovoce")
        assert ended.value.code == 0
        usage, words = " ".join(["Usage: sottovoce", *command]), capsys.readouterr().out.split()
        assert " ".join(words).startswith(usage)
        assert " ".join(words).partition("╭")[0].rstrip().endswith(".")


def test_the_program(paths: Paths) -> None:
    """What is installed as `sottovoce` writes to its standard output, tells an error on the other, and ends with it."""
    program = Path(sys.executable).with_name("sottovoce")
    environ = {**os.environ, **paths.environment()}
    for words, expected in (
        (["transform"], (EXIT_USAGE, b"", b"Usage: sottovoce transform")),
        (["transform", "hello"], (0, b"Hello\n", b"")),
        (["history", "show", "1"], (EXIT_FAILED, b"", b"sottovoce: nothing has been dictated")),
    ):
        done = subprocess.run([program, *words], env=environ, capture_output=True, timeout=60, check=False)
        code, out, error = expected
        assert (done.returncode, done.stdout) == (code, out)
        assert error in done.stderr
        assert bool(error) == bool(done.stderr)


def one_line(result: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the only line of an error, which is all that a command may say when it fails."""
    assert result.returncode == code, result
    assert result.stdout == ""
    assert result.stderr.startswith("sottovoce: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["toggle"], ["start"], ["stop"], ["cancel", "--json"], ["status", "--json"], ["restart", "vad"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_without_a_service_a_command_says_how_to_start_it(sottovoce: Sottovoce, command: list[str]) -> None:
    """Exit code 3, and the command that starts one."""
    assert "start" in (error := one_line(sottovoce(*command), EXIT_UNREACHABLE))
    assert "sottovoce up" in error


def test_to_end_a_service_that_does_not_run_is_no_error(sottovoce: Sottovoce) -> None:
    """`down` in a script may be said twice."""
    result = sottovoce("down")
    assert (result.returncode, result.stdout) == (0, "the service does not run\n")


@pytest.mark.parametrize(
    "command",
    [
        ["sing"], ["toggle", "--loudly"], ["transcribe", "--format", "xml", "x.wav"], ["models", "eat"],
        ["logs", "-n", "0"], ["bench", "live", "x.wav"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_told(sottovoce: Sottovoce, command: list[str]) -> None:
    """Exit code 2, and how to get help."""
    result = sottovoce(*command)
    assert result.returncode == EXIT_USAGE
    assert "Usage: sottovoce" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [["config", "check"], ["transform", "hello"], ["transcribe", "x.wav"], ["up"]],
    ids=" ".join,
)
def test_a_wrong_configuration_is_told(sottovoce: Sottovoce, paths: Paths, command: list[str]) -> None:
    """Exit code 5, the file, the key, and how to see all keys."""
    paths.config.write_text("[vad]\nthreshhold = 0.5\n")
    error = one_line(sottovoce(*command), EXIT_CONFIGURATION)
    assert str(paths.config) in error
    assert "threshhold" in error
    assert "config show" in error


def test_an_unknown_model_is_told(sottovoce: Sottovoce, paths: Paths) -> None:
    """Exit code 5 for a model that no catalogue has, wherever it is named."""
    assert "nonsense" in one_line(sottovoce("models", "verify", "nonsense"), EXIT_CONFIGURATION)
    paths.config.write_text('[stt.final]\nmodel = "nonsense"\n')
    assert "nonsense" in one_line(sottovoce("config", "check"), EXIT_CONFIGURATION)


def test_a_log_that_is_not_there_is_told(sottovoce: Sottovoce, paths: Paths) -> None:
    """Exit code 1, and which logs there are."""
    (paths.logs / "vad.jsonl").write_text('{"event": "ready", "stage": "vad", "level": "info"}\n')
    assert "there are: vad" in one_line(sottovoce("logs", "vat"), EXIT_FAILED)
    assert "ready" in sottovoce("logs", "vad").stdout


def test_an_events_file_that_cannot_be_written_is_told(sottovoce: Sottovoce, tmp_path: Path) -> None:
    """`bench live` names the place, before anything is fed."""
    nowhere = tmp_path / "none" / "events.jsonl"
    assert str(nowhere) in one_line(sottovoce("bench", "live", "x.wav", "--events", nowhere), EXIT_FAILED)


# -- configuration -----------------------------------------------------------------------------------------------------


def test_the_configuration_that_is_shown_is_one(sottovoce: Sottovoce, paths: Paths, tmp_path: Path) -> None:
    """`config show` prints a configuration file: read back it gives the same settings, also those that were set."""
    paths.config.write_text('[inject]\nbackends = ["file"]\nfile = "/a \\"b\\\\c"\n[history]\nkeep = "7d"\n')
    shown = sottovoce("config", "show")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"# {paths.config}\n")
    settings = tomllib.loads(shown.stdout)
    assert settings["inject"] == {**settings["inject"], "backends": ["file"], "file": '/a "b\\c'}
    assert msgspec.toml.decode(shown.stdout, type=Config) == msgspec.toml.decode(paths.config.read_text(), type=Config)
    assert json.loads(sottovoce("config", "show", "--json").stdout) == settings
    paths.config.write_text(shown.stdout)
    assert sottovoce("config", "show").stdout == shown.stdout


def test_without_a_file_all_is_default(sottovoce: Sottovoce, paths: Paths) -> None:
    """The first line says that there is no file, the rest is every default."""
    shown = sottovoce("config", "show").stdout
    assert shown.startswith(f"# {paths.config} (not there: all defaults)\n")
    assert msgspec.toml.decode(shown, type=Config) == Config()
    assert "all defaults" in sottovoce("config", "check").stdout


# -- models and transform ----------------------------------------------------------------------------------------------


def test_installed_models_are_sound(sottovoce: Sottovoce, beckett: Path) -> None:
    """`models verify` reads every file of the models it is given."""
    assert sottovoce("models", "verify", "beckett", "silero-v6").stdout == "beckett: sound\nsilero-v6: sound\n"


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        (["hello comma world period"], "Hello, world."),
        (["Hello,", "comma,", "world."], "Hello, world."),
        ([""], ""),
    ],
)
def test_the_transform_can_be_tried(sottovoce: Sottovoce, said: list[str], typed: str) -> None:
    """`transform` prints what would be typed, whether the words come as one argument or as many."""
    assert sottovoce("transform", *said).stdout == typed + "\n"


# -- transcribe --------------------------------------------------------------------------------------------------------


def test_a_recording_is_transcribed(sottovoce: Sottovoce, beckett: Path) -> None:
    """Its words, on one line of standard output, and nothing else."""
    result = sottovoce("transcribe", beckett)
    assert (result.returncode, result.stderr, result.stdout.count("\n")) == (0, "", 1)
    words = "".join(letter for letter in result.stdout.lower() if letter.isalpha() or letter == " ")
    assert wer(SAID, words) < 0.2


def test_a_transcript_as_json(sottovoce: Sottovoce, beckett: Path, tmp_path: Path) -> None:
    """The text, segments with their seconds, model and times; of another rate, channel count and format alike."""
    samples, rate = soundfile.read(beckett, dtype="float32", frames=5 * 16_000)
    mono, stereo = tmp_path / "mono.wav", tmp_path / "stereo.flac"
    soundfile.write(mono, samples, rate)
    soundfile.write(stereo, [[sample, sample] for sample in samples[: 3 * rate]], rate)
    result = sottovoce("transcribe", "--format", "json", mono, stereo)
    assert (result.returncode, result.stderr) == (0, "")
    first, second = json.loads(result.stdout)
    assert (first["file"], second["file"]) == (str(mono), str(stereo))
    assert first["audio_seconds"] == pytest.approx(5.0, abs=0.01)
    assert second["audio_seconds"] == pytest.approx(3.0, abs=0.01)
    for transcript in (first, second):
        assert transcript["model"] == "moonshine-tiny-en"
        assert 0 < transcript["processing_seconds"] < 60
        assert transcript["segments"]
        ends = 0.0
        for segment in transcript["segments"]:
            assert ends <= segment["start"] < segment["end"] <= transcript["audio_seconds"]
            assert segment["text"]
            assert segment["text"] in transcript["text"]
            ends = segment["end"]
    assert first["text"].lower().startswith("ever tried")


def test_files_that_cannot_be_read_are_named_and_the_others_done(
    sottovoce: Sottovoce, beckett: Path, tmp_path: Path
) -> None:
    """Corrupt, empty, 44 bytes long, cut short, missing: one clear line each, exit code 4, and the good one's text."""
    whole = beckett.read_bytes()
    bad = {
        "corrupt.wav": b"\x00\xff" * 5000,
        "corrupt.flac": b"fLaC" + b"\x13\x37" * 5000,
        "empty.wav": b"",
        "header.wav": whole[:44],
        "truncated.wav": whole[: len(whole) // 2],
        "text.mp3": b"this is not music\n" * 100,
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in (*bad, "missing.wav")]
    good = tmp_path / "good.wav"
    soundfile.write(good, *soundfile.read(beckett, frames=3 * 16_000))
    result = sottovoce("transcribe", *files, good)
    assert result.returncode == EXIT_BAD_INPUT
    errors = result.stderr.splitlines()
    assert len(errors) == len(files), result.stderr
    for error, file in zip(errors, files, strict=True):
        assert error.startswith(f"sottovoce: {file}: ")
    assert result.stdout.lower().startswith(f"{good}: ever tried")
    assert result.stdout.count("\n") == 1


def test_a_bad_file_alone_is_an_error(sottovoce: Sottovoce, beckett: Path, tmp_path: Path) -> None:
    """With one file, exit code 4, one line, and nothing on standard output, for JSON as well."""
    path = tmp_path / "bad.wav"
    path.write_bytes(beckett.read_bytes()[:44])
    assert str(path) in one_line(sottovoce("transcribe", "--format", "json", path), EXIT_BAD_INPUT)


def test_silence_is_no_error(sottovoce: Sottovoce, beckett: Path, tmp_path: Path) -> None:
    """A sound recording in which nobody speaks has an empty transcript; of one file, JSON is one object."""
    path = tmp_path / "silence.wav"
    soundfile.write(path, [0.0] * 32_000, 16_000)
    result = sottovoce("transcribe", "--format", "json", path)
    assert result.returncode == 0
    transcript = json.loads(result.stdout)
    assert (transcript["text"], transcript["segments"], transcript["audio_seconds"]) == ("", [], 2.0)
