"""Silero: speech is heard, silence is not, and the state is ours to reset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sottovoce.models import EngineFailed, SileroVad

Samples = NDArray[np.float32]


@pytest.fixture
def vad(real: Callable[[str], Path]) -> SileroVad:
    """Load the real model."""
    return SileroVad(real("silero-v6") / "silero_vad.onnx")


def run(vad: SileroVad, samples: Samples) -> list[float]:
    """Return the probability of every whole frame."""
    return [vad.probability(samples[at : at + 512]) for at in range(0, len(samples) - 511, 512)]


def test_speech_is_told_from_silence_and_noise(vad: SileroVad, speech: Samples) -> None:
    """Frames of speech reach near certainty; silence and noise stay far below the threshold."""
    assert max(run(vad, speech)) > 0.95
    vad.reset()
    assert max(run(vad, np.zeros(32_000, np.float32))) < 0.3
    vad.reset()
    assert max(run(vad, np.random.default_rng(1).normal(0, 0.01, 32_000).astype(np.float32))) < 0.5


def test_reset_forgets_everything(vad: SileroVad, speech: Samples) -> None:
    """After a reset the same frames have exactly the same probabilities, whatever came before."""
    first = run(vad, speech[:32_000])
    assert run(vad, speech[:32_000]) != first
    vad.reset()
    assert run(vad, speech[:32_000]) == first


def test_two_have_nothing_in_common(vad: SileroVad, speech: Samples, real: Callable[[str], Path]) -> None:
    """Two instances keep their own state, and do not keep hold of the caller's array."""
    other = SileroVad(real("silero-v6") / "silero_vad.onnx")
    frame = np.empty(512, np.float32)  # one buffer, written over each time, as a reader of the ring does
    for start in range(0, 32_000 - 511, 512):
        frame[:] = speech[start : start + 512]
        assert vad.probability(frame) == other.probability(speech[start : start + 512])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_sample_that_is_no_number_does_not_deafen(vad: SileroVad, speech: Samples, bad: float) -> None:
    """What a broken device may deliver does not stay in the state: the speech after it is heard."""
    vad.probability(np.full(512, bad, np.float32))
    assert max(run(vad, speech[:32_000])) > 0.95


@pytest.mark.parametrize("shape", [(511,), (0,), (1, 512)])
def test_another_frame_size_is_refused(vad: SileroVad, shape: tuple[int, ...]) -> None:
    """The model takes 512 samples; anything else would be heard wrongly in silence."""
    with pytest.raises(ValueError, match=r"\(512,\)"):
        vad.probability(np.zeros(shape, np.float32))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing model names its path and the command that brings it."""
    with pytest.raises(EngineFailed, match=r"gone\.onnx is not a file; run: sottovoce models pull silero-v6"):
        SileroVad(tmp_path / "gone.onnx")


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    """Bytes that are no ONNX model are refused with their path."""
    (tmp_path / "bad.onnx").write_bytes(b"<html>Sign in</html>")
    with pytest.raises(EngineFailed, match=r"bad\.onnx: ONNX Runtime cannot load it"):
        SileroVad(tmp_path / "bad.onnx")


def test_another_model_is_refused(real: Callable[[str], Path]) -> None:
    """A model with other inputs is refused when it is loaded, not at the first frame."""
    with pytest.raises(EngineFailed, match="not Silero VAD v5 or v6"):
        SileroVad(real("moonshine-tiny-en") / "encoder_model.ort")
