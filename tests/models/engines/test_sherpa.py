"""Errors of the sherpa engine that must be exceptions: the library would print them and end the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sottovoce.models import Catalogue, EngineFailed, load_engine

MOONSHINE = Catalogue.load()["moonshine-tiny-en"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named with its argument and the command that brings it."""
    with pytest.raises(EngineFailed, match=r"encoder .*encoder_model\.ort is not a file; run: sottovoce models pull"):
        load_engine(MOONSHINE, tmp_path)


def test_an_unknown_constructor_is_named(real: Callable[[str], Path]) -> None:
    """A constructor that this sherpa-onnx does not have is named with the version that lacks it."""
    entry = msgspec.structs.replace(MOONSHINE, constructor="from_the_future")
    with pytest.raises(EngineFailed, match=r"sherpa-onnx \d.* has no constructor from_the_future"):
        load_engine(entry, real("moonshine-tiny-en"))


def test_a_wrong_argument_is_named(real: Callable[[str], Path]) -> None:
    """An option that the constructor does not take is named."""
    entry = msgspec.structs.replace(MOONSHINE, options={"beams": 4})
    with pytest.raises(EngineFailed, match=r"from_moonshine_v2: .*beams"):
        load_engine(entry, real("moonshine-tiny-en"))


def test_a_model_that_recognises_nothing_is_refused(tmp_path: Path) -> None:
    """Asking for a recogniser of a VAD model is an error, not a crash later."""
    with pytest.raises(EngineFailed, match=r"silero-v6 .* does not recognise speech"):
        load_engine(Catalogue.load()["silero-v6"], tmp_path)


def test_a_hum_that_decodes_to_notes_is_a_result(real: Callable[[str], Path]) -> None:
    """A token that is a part of a character (hum comes out as notes) costs the tokens, not the process."""
    engine = load_engine(MOONSHINE, real("moonshine-tiny-en"))
    hum = (0.01 * np.sin(2 * np.pi * 50 * np.arange(16_000) / 16_000)).astype(np.float32)
    assert engine.decode(hum).text != ""
    engine.close()
