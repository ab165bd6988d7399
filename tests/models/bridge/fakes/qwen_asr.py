"""The boundary of the package `qwen-asr` 0.0.6: the names, arguments and results that the child relies on.

Nothing is recognised: the text says what was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_LANGUAGES = {"English", "German", "Chinese"}


@dataclass
class _Item:
    text: str
    start_time: float
    end_time: float


@dataclass
class _Transcription:
    language: str
    text: str
    time_stamps: Any = None


class Qwen3ASRModel:
    """The model."""

    def __init__(self, source: str, aligner: str | None, asked: dict[str, Any]) -> None:
        self.source, self.aligner, self.asked = source, aligner, asked

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str,
        forced_aligner: str | None = None,
        forced_aligner_kwargs: dict[str, Any] | None = None,
        max_inference_batch_size: int = 32,
        max_new_tokens: int | None = 512,
        **kwargs: Any,
    ) -> Qwen3ASRModel:
        """Return the model, whatever it is."""
        assert kwargs.keys() == {"dtype", "device_map"}
        assert forced_aligner_kwargs == (kwargs if forced_aligner else None)
        return cls(pretrained_model_name_or_path, forced_aligner, {"tokens": max_new_tokens, **kwargs})

    def transcribe(
        self,
        audio: tuple[np.ndarray, int],
        context: str = "",
        language: str | None = None,
        return_time_stamps: bool = False,
    ) -> list[_Transcription]:
        """Return what was asked."""
        samples, rate = audio
        assert isinstance(samples, np.ndarray)
        if language is not None and language not in _LANGUAGES:
            raise ValueError(f"Unsupported language: {language}")
        if return_time_stamps and self.aligner is None:
            raise ValueError("return_time_stamps=True requires `forced_aligner` to be provided at initialization.")
        asked = {"context": context, "threads": torch.threads, "seconds": len(samples) / rate, **self.asked}
        stamps = [_Item("asked", 0.0, 0.5)] if return_time_stamps else None
        return [_Transcription(language or "Chinese,English", f"{self.source.rpartition('/')[2]} {asked}", stamps)]
