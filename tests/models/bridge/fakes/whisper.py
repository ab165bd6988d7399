"""The boundary of the package `openai-whisper` 20250625: the names, arguments and results that the child relies on.

Nothing is recognised: the text says what was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

__version__ = "20250625"


class _Decoder:
    def __init__(self) -> None:
        self.hooks: list[Callable[..., Any]] = []

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> object:
        self.hooks.append(hook)
        return SimpleNamespace(remove=lambda: None)


class _Model:
    def __init__(self, source: str) -> None:
        self.source = source
        self.decoder = _Decoder()

    def transcribe(
        self,
        audio: np.ndarray,
        *,
        verbose: bool | None = None,
        temperature: float | tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        compression_ratio_threshold: float | None = 2.4,
        logprob_threshold: float | None = -1.0,
        no_speech_threshold: float | None = 0.6,
        condition_on_previous_text: bool = True,
        initial_prompt: str | None = None,
        carry_initial_prompt: bool = False,
        word_timestamps: bool = False,
        clip_timestamps: str | list[float] = "0",
        hallucination_silence_threshold: float | None = None,
        **decode_options: Any,
    ) -> dict[str, Any]:
        if unknown := decode_options.keys() - {"language", "fp16", "beam_size"}:
            raise TypeError(f"DecodingOptions.__init__() got an unexpected keyword argument {min(unknown)!r}")
        for hook in self.decoder.hooks:
            hook(self.decoder, ())
        asked = {
            "prompt": initial_prompt,
            "threads": torch.threads,
            "fp16": decode_options["fp16"],
            "seconds": len(audio) / 16_000,
        }
        if "beam_size" in decode_options:
            asked["beams"] = decode_options["beam_size"]
        word = {"word": " asked", "start": np.float64(0.0), "end": np.float64(0.5), "probability": 0.5}
        words = {"words": [word]} if word_timestamps else {}
        return {
            "text": f" {self.source.rpartition('/')[2]} {asked}",
            "segments": [
                {"tokens": [1, 2, 3], "avg_logprob": -0.25, **words},
                {"tokens": [4], "avg_logprob": -1.25},
            ],
            "language": decode_options["language"] or "fr",
        }


def load_model(
    name: str, device: str | None = None, download_root: str | None = None, in_memory: bool = False
) -> _Model:
    """Return the model, whatever it is."""
    assert device == "cpu"
    return _Model(name if download_root is None else f"{name}@{download_root.rpartition('/')[2]}")
