"""Smart Turn v3: the probability, from how it sounds, that who paused has said what they wanted to say.

The model (pipecat-ai/smart-turn, a Whisper tiny encoder with a classifier) hears the last 8 s, so the fall of the
voice and the length of the last syllable count as much as the words, in 23 languages. It is fed Whisper's features:
log-mel spectrogram, 80 bands of Slaney's scale, windows of 25 ms every 10 ms (Radford et al., "Robust Speech
Recognition via Large-Scale Weak Supervision", 2022), of samples brought to mean 0 and variance 1.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.engines.base import SAMPLE_RATE
from sottovoce.models.engines.session import open_session
from sottovoce.models.exceptions import EngineFailed

_SAMPLES = 8 * SAMPLE_RATE
_WINDOW, _HOP, _BANDS = 400, 160, 80
_FLOOR = 1e-10
_RANGE = 8.0  # log10 units below the loudest point; what is quieter is raised to that


class SmartTurn:
    """The model, on one thread.

    A call costs 50 ms on one core of a 2-core x86-64 machine (features 3 ms, model 46 ms), a pause in speech each.

    Args:
        model_path: `smart-turn-v3.2-cpu.onnx`.

    Raises:
        EngineFailed: the file is missing or is another model.
    """

    def __init__(self, model_path: Path) -> None:
        # It runs a few times a minute: what a run needs, 35 MB, is better given back than kept (`probability`).
        self._session = open_session(
            model_path, ("input_features",), model="smart-turn-v3", kind="Smart Turn v3", keeps_memory=False
        )
        self._filters = _mel_filters()
        self._taper = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it

    def probability(self, samples: NDArray[np.float32]) -> float:
        """Return the probability that the speaker is finished, 0 to 1; NaN where a sample is no number.

        Args:
            samples: float32, shape (n,), 16 kHz: from where speech began to the moment of asking; of more than 8 s, the
                last 8 count.

        Raises:
            EngineFailed: the model could not be run.
        """
        heard = np.zeros(_SAMPLES, np.float32)
        samples = samples[-_SAMPLES:]
        heard[_SAMPLES - len(samples) :] = samples
        try:
            output = self._session.run(None, {"input_features": self._features(heard)[None]})[0]
        except Exception as error:  # ONNX Runtime's own errors share no other base
            raise EngineFailed(f"Smart Turn failed: {error}") from error
        if self._trim is not None:
            self._trim(0)
        return float(np.ravel(output)[0])

    def _features(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 of shape (80, 800)."""
        normal = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        padded = np.pad(normal, _WINDOW // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][: _SAMPLES // _HOP]
        power = np.abs(np.fft.rfft(windows * self._taper)) ** 2
        bands = np.log10(np.maximum(self._filters @ power.T, _FLOOR))
        features: NDArray[np.float32] = ((np.maximum(bands, bands.max() - _RANGE) + 4.0) / 4.0).astype(np.float32)
        return features


def _mel_filters() -> NDArray[np.float64]:
    """Return Slaney's triangles, of equal area, shape (80, 201): 0 to 8 kHz (Auditory Toolbox, 1998)."""
    frequencies = np.linspace(0.0, SAMPLE_RATE / 2, _WINDOW // 2 + 1)
    edges = _hertz(np.linspace(0.0, _mel(SAMPLE_RATE / 2), _BANDS + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)


# The scale is linear up to 1 kHz, 15 mel there, and logarithmic above: 27 mel to a factor of 6.4.
def _mel(hertz: float) -> float:
    return 15.0 + 27.0 * float(np.log(hertz / 1000.0) / np.log(6.4)) if hertz >= 1000.0 else hertz * 0.015


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15.0, mel / 0.015, 1000.0 * np.exp(np.log(6.4) / 27.0 * (np.maximum(mel, 15.0) - 15.0)))
