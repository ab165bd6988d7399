"""Smart Turn: a sentence that is over sounds finished, one that is broken off does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sottovoce.models import EngineFailed, SmartTurn

Samples = NDArray[np.float32]


@pytest.fixture
def model(real: Callable[[str], Path]) -> SmartTurn:
    """Load the real model."""
    return SmartTurn(real("smart-turn-v3") / "smart-turn-v3.2-cpu.onnx")


def test_the_end_of_a_sentence_is_told_from_its_middle(model: SmartTurn, real: Callable[[str], Path]) -> None:
    """Behind "Fail better." the speaker is finished; broken off half a second before, in it, he is not."""
    samples, _ = soundfile.read(real("beckett") / "beckett.wav", dtype="float32")
    end = int(np.flatnonzero(np.abs(samples) > 0.02)[-1])
    assert model.probability(samples[: end + 1_600]) > 0.6
    assert model.probability(samples[: end - 8_000]) < 0.2


def test_only_the_last_eight_seconds_count(model: SmartTurn, speech: Samples) -> None:
    """What was said longer ago changes nothing."""
    noise = np.random.default_rng(1).normal(0, 0.1, 64_000).astype(np.float32)
    heard = np.concatenate([speech, speech[:48_000]])
    assert model.probability(np.concatenate([noise, heard])) == model.probability(heard)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(1, np.float32), np.zeros(400_000, np.float32)])
def test_any_length_can_be_judged(model: SmartTurn, samples: Samples) -> None:
    """There is a probability for nothing, for one sample and for half a minute."""
    assert 0.0 <= model.probability(samples) <= 1.0


def test_a_wrong_file_is_named(real: Callable[[str], Path], tmp_path: Path) -> None:
    """A missing file, one that is no model, and another model are refused with their names."""
    with pytest.raises(EngineFailed, match=r"gone\.onnx is not a file; run: sottovoce models pull smart-turn-v3"):
        SmartTurn(tmp_path / "gone.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(EngineFailed, match=r"text\.onnx: ONNX Runtime cannot load it"):
        SmartTurn(tmp_path / "text.onnx")
    with pytest.raises(EngineFailed, match=r"silero_vad\.onnx: not Smart Turn v3: its inputs are input"):
        SmartTurn(real("silero-v6") / "silero_vad.onnx")
