"""The onnx engine: nothing is downloaded, and what decodes is what the session says, not what was asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnxruntime
import pytest
import toys

from sottovoce.models import EngineFailed, EngineSettings, Placed, load_engine

Build = Callable[[str], toys.Toy]
CPU_ONLY = "CUDAExecutionProvider" not in onnxruntime.get_available_providers()


def test_words_begin_when_they_were_said(toy: Build) -> None:
    """The words' times are those of the audio, to a frame of the model."""
    result = load_engine(*toy("toy-onnx")).decode(toys.speech("low middle high"))
    assert [word.text for word in result.words] == ["low", "middle", "high"]
    assert [word.start_s for word in result.words] == pytest.approx(toys.onsets("low middle high"), abs=0.08)
    assert result.log_prob is not None
    assert result.log_prob < 0


@pytest.mark.skipif(not CPU_ONLY, reason="needs the CPU build of ONNX Runtime")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_card_that_cannot_be_used_is_told(toy: Build, provider: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A build without it decodes on the processor, and says what was asked, and why it was not to be had."""
    engine = load_engine(*toy("toy-onnx"), EngineSettings(provider=provider))  # type: ignore[arg-type]
    assert isinstance(engine, Placed)
    assert engine.decode(toys.speech("low")).text == "low"
    assert engine.providers == ("CPUExecutionProvider",)
    assert f"{provider} was asked for, but CPUExecutionProvider decodes: this ONNX Runtime is built" in engine.fallback
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not CPU_ONLY, reason="needs the CPU build of ONNX Runtime")
@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_the_processor_is_no_fallback_where_nothing_else_was_asked(toy: Build, provider: str) -> None:
    """The best that there is, on a machine without a card, is the processor."""
    engine = load_engine(*toy("toy-onnx"), EngineSettings(provider=provider))  # type: ignore[arg-type]
    assert isinstance(engine, Placed)
    assert (engine.providers, engine.fallback) == (("CPUExecutionProvider",), "")


@pytest.mark.skipif(CPU_ONLY, reason="needs onnxruntime-gpu: uv sync --extra gpu")
def test_what_the_session_got_is_told(toy: Build) -> None:
    """With the GPU build, either CUDA decodes, or there is a reason why it does not; in both cases it decodes."""
    engine = load_engine(*toy("toy-onnx"), EngineSettings(provider="cuda", gpu_memory=512))
    assert isinstance(engine, Placed)
    assert engine.decode(toys.speech("low middle")).text == "low middle"
    assert (engine.providers[0] == "CUDAExecutionProvider") == (engine.fallback == "")


def test_a_missing_file_is_named(toy: Build, tmp_path: Path) -> None:
    """A directory or a file that is not there is named with the command that brings it, and nobody is asked for it."""
    entry, directory = toy("toy-onnx")
    with pytest.raises(EngineFailed, match=r"gone is not a directory; run: sottovoce models pull toy-onnx"):
        load_engine(entry, tmp_path / "gone")
    copy = shutil.copytree(directory, tmp_path / "copy")
    (copy / "encoder-model.onnx").unlink()
    with pytest.raises(EngineFailed, match=r"'encoder-model\.onnx' not found .*; run: sottovoce models pull toy-onnx"):
        load_engine(entry, copy)


def test_the_quantised_files_are_an_option(toy: Build, tmp_path: Path) -> None:
    """`quantization` says which files are meant, where there are both."""
    entry, directory = toy("toy-onnx")
    for path in shutil.copytree(directory, tmp_path / "copy").glob("*-model.onnx"):
        path.rename(path.with_name(path.name.replace(".onnx", ".int8.onnx")))
    quantised = msgspec.structs.replace(entry, options={"quantization": "int8"})
    assert load_engine(quantised, tmp_path / "copy").decode(toys.speech("low")).text == "low"
    with pytest.raises(EngineFailed, match="not found"):
        load_engine(quantised, directory)


def test_a_file_that_is_no_model_is_named(toy: Build, tmp_path: Path) -> None:
    """Bytes that are no ONNX model are refused, with the model's name."""
    entry, directory = toy("toy-onnx")
    copy = shutil.copytree(directory, tmp_path / "copy")
    (copy / "encoder-model.onnx").write_bytes(b"<html>Sign in</html>")
    with pytest.raises(EngineFailed, match="model toy-onnx: nemo-conformer-tdt: "):
        load_engine(entry, copy)


def test_an_unknown_kind_is_named(toy: Build) -> None:
    """A type that this onnx-asr does not know is named."""
    entry, directory = toy("toy-onnx")
    with pytest.raises(EngineFailed, match="model toy-onnx: from-the-future: "):
        load_engine(msgspec.structs.replace(entry, constructor="from-the-future"), directory)
