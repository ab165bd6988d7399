"""What every recogniser can do, whatever runs it."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz: what every model here was trained on, and the rate of the ring."""


class Word(msgspec.Struct, frozen=True):
    """A word and when it was said, in seconds from the first sample that was decoded."""

    text: str
    start_s: float
    end_s: float


class Result(msgspec.Struct, frozen=True):
    """What an engine heard."""

    text: str
    """Stripped; empty where there was nothing."""
    tokens: tuple[str, ...] = ()
    """As the model spells them: a leading space starts a word."""
    words: tuple[Word, ...] = ()
    """Empty where the engine gives no times."""
    log_prob: float | None = None
    """Mean natural log-probability of a token; None where the engine gives none."""
    language: str = ""
    """ISO 639-1; empty where neither the engine nor the catalogue says."""
    audio_s: float = 0.0
    """Seconds of audio decoded."""
    decode_s: float = 0.0
    """Seconds it took."""
    load_s: float = 0.0
    """Seconds that loading the model took, once."""
    reheard: bool = False
    """Whether the decoder came to no end at first, and this is what it heard with silence behind (`actors.rehear`)."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may choose about how a model is run. An engine leaves out what it has no use for."""

    threads: int = 1
    """Threads that decode."""
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    """What decodes; "auto" is the best that there is. Where it is not to be had, the processor does, and says so."""
    language: str = ""
    """ISO 639-1 of what is spoken; empty for what the model finds out, where it can."""
    hotwords: tuple[str, ...] = ()
    """Words and names to be listened for."""
    gpu_memory: int = 0
    """Megabytes of a graphics card's memory that may be taken; 0 for as many as there are."""
    timeout_s: float = 30.0
    """Longest decode of an engine that runs elsewhere."""


class OfflineEngine(Protocol):
    """A recogniser of whole segments. Not for use by two threads at once."""

    @property
    def name(self) -> str:
        """The catalogue's name of the model."""

    def warm_up(self) -> None:
        """Pay what the first decode costs beyond the others."""

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Recognise one segment.

        Args:
            samples: float32, shape (n,), full scale 1.0; read-only and empty arrays are fine.
            sample_rate: Hz; other than 16,000 is resampled.

        Raises:
            EngineFailed: the engine broke or was closed.
            ValueError: wrong shape or dtype.
        """

    def close(self) -> None:
        """Free the model. Closing twice is fine."""


class Stream(Protocol):
    """One utterance as it is being heard."""

    def accept(self, samples: NDArray[np.float32]) -> None:
        """Hear more: float32, shape (n,), 16 kHz, full scale 1.0; any number of samples.

        Raises:
            EngineFailed: the engine broke or was closed.
            ValueError: wrong shape or dtype.
        """

    def partial(self) -> Result:
        """Return the hypothesis so far.

        Raises:
            EngineFailed: the engine broke or was closed.
        """

    def finish(self) -> Result:
        """Return the hypothesis of all that was heard: nothing more will come. Nothing may be asked after that.

        Raises:
            EngineFailed: the engine broke or was closed.
        """


class StreamingEngine(Protocol):
    """A recogniser that hears while one speaks. Not for use by two threads at once."""

    @property
    def name(self) -> str:
        """The catalogue's name of the model."""

    def warm_up(self) -> None:
        """Pay what the first decode costs beyond the others."""

    def stream(self) -> Stream:
        """Begin an utterance; several may be open.

        Raises:
            EngineFailed: the engine broke or was closed.
        """

    def close(self) -> None:
        """Free the model; open streams fail from then on. Closing twice is fine."""


class Punctuator(Protocol):
    """What puts marks into text that has none."""

    @property
    def name(self) -> str:
        """The catalogue's name of the model."""

    def punctuate(self, text: str) -> str:
        """Return the words of a text with marks between them, and with capitals where the model knows of them.

        Args:
            text: words in lower case with spaces between, of any number; empty gives empty.

        Raises:
            EngineFailed: the engine broke or was closed.
        """

    def close(self) -> None:
        """Free the model. Closing twice is fine."""


@runtime_checkable
class Placed(Protocol):
    """What an engine that runs here has besides: where it runs."""

    providers: tuple[str, ...]
    """ONNX Runtime's execution providers that decode, best first."""
    fallback: str
    """Why they are not what `EngineSettings.provider` asks for, fit to be shown to a user; empty if they are."""


def mono_16k(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return the samples as engines want them: contiguous, 16 kHz.

    Raises:
        ValueError: not one-dimensional float32, or not a sample rate.
    """
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise ValueError(f"samples must be float32 of shape (n,), not {samples.dtype} of shape {samples.shape}")
    if sample_rate <= 0:
        raise ValueError(f"sample_rate must be positive, not {sample_rate}")
    if sample_rate != SAMPLE_RATE and samples.size:
        import soxr

        samples = soxr.resample(samples, sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(samples)
