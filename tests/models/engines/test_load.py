"""From entry to engine: each kind has its loader, and what is none is told so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import toys

from sottovoce.models import Catalogue, EngineFailed, load_engine, load_punctuator, load_streaming

Build = Callable[[str], toys.Toy]


def test_a_model_that_recognises_nothing_is_refused(tmp_path: Path) -> None:
    """Asking for a recogniser of a VAD model is an error, not a crash later."""
    entry = Catalogue.load()["silero-v6"]
    with pytest.raises(EngineFailed, match=r"silero-v6 .* does not recognise speech"):
        load_engine(entry, tmp_path)
    with pytest.raises(EngineFailed, match=r"silero-v6 .* does not hear while one speaks"):
        load_streaming(entry, tmp_path)
    with pytest.raises(EngineFailed, match=r"silero-v6 .* puts no marks into text"):
        load_punctuator(entry, tmp_path)


def test_a_streaming_model_is_no_offline_one(toy: Build) -> None:
    """Each loader refuses the other's models, and says what they are."""
    with pytest.raises(EngineFailed, match="toy-zipformer is a streaming one"):
        load_engine(*toy("toy-zipformer"))
    with pytest.raises(EngineFailed, match=r"toy-ctc .* does not hear while one speaks"):
        load_streaming(*toy("toy-ctc"))


@pytest.mark.parametrize("name", ["toy-ctc", "toy-onnx"])
def test_a_model_that_is_not_there_is_named(toy: Build, tmp_path: Path, name: str) -> None:
    """A model whose files are missing is named with the command that brings it, whatever engine it is for."""
    entry = msgspec.structs.replace(toy(name).entry, name="absent")
    with pytest.raises(EngineFailed, match=r"absent.*run: sottovoce models pull absent"):
        load_engine(entry, tmp_path / "nowhere")
