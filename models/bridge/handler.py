"""What somebody who writes a child fills in, and what they are given."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Refused(Exception):
    """What was asked for cannot be: a missing file, an option that is unknown.

    The text is shown and logged, so it holds nothing of what was dictated.
    """


class Cancelled(Exception):
    """Nobody waits for this decode any more."""


@dataclass(frozen=True)
class Load:
    """Which model, and how it is to be run."""

    model: str = ""
    """The catalogue's name."""
    directory: str = ""
    """Where its files are; there may be none."""
    threads: int = 1
    provider: str = "auto"
    """auto, cpu, cuda or tensorrt. Whoever has not got it takes the processor, and says so in `Handler.device`."""
    gpu_memory: int = 0
    """Megabytes of a graphics card's memory that may be taken; 0 for as many as there are."""
    options: dict[str, str | int | float | bool] = field(default_factory=dict)
    """`options` of the catalogue entry."""


@dataclass(frozen=True)
class Decode:
    """How one segment is to be heard."""

    language: str = ""
    """ISO 639-1; empty for what the model finds out."""
    hotwords: tuple[str, ...] = ()
    """Words and names to be listened for."""
    _cancel: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Give up if nobody waits any more; to be called now and then in a long decode.

        Raises:
            Cancelled: so it is. Let it through.
        """
        if self._cancel.is_set():
            raise Cancelled


@dataclass(frozen=True)
class Said:
    """A word and when it was said, in seconds from the first sample."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Heard:
    """What the model made of it."""

    text: str
    tokens: tuple[str, ...] = ()
    words: tuple[Said, ...] = ()
    log_prob: float | None = None
    """Mean natural log-probability of a token."""
    language: str = ""
    """ISO 639-1."""

    def message(self) -> dict[str, Any]:
        """Return it as the fields of a `result` message."""
        return {
            "text": self.text.strip(),
            "tokens": list(self.tokens),
            "words": [{"text": word.text, "start_s": word.start_s, "end_s": word.end_s} for word in self.words],
            "log_prob": self.log_prob,
            "language": self.language,
        }


class Handler(ABC):
    """A recogniser. Its methods are called one at a time, in the main thread."""

    name: str = ""
    """Of the library, for people."""
    version: str = ""
    """Of the library, once it is loaded."""
    device: str = "cpu"
    """What decodes, once the model is loaded."""
    cancels: bool = False
    """Whether `decode` calls `Decode.check` often enough to end within a second. Else the process is ended instead."""

    @abstractmethod
    def load(self, request: Load) -> None:
        """Load the model; called again after `unload`, or in the place of another one.

        Raises:
            Refused: it cannot be loaded; any other exception says the same, with its name in the text.
        """

    @abstractmethod
    def decode(self, samples: NDArray[np.float32], request: Decode) -> Heard:
        """Recognise a segment.

        Args:
            samples: float32, shape (n,), 16 kHz, full scale 1.0; ours to change.
            request: how.

        Raises:
            Refused: it cannot be. Of any other exception only its type and place are told, since its text may hold
                what was dictated.
            Cancelled: from `Decode.check`.
        """

    @abstractmethod
    def unload(self) -> None:
        """Free the model."""
