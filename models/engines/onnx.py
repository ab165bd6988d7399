"""Parakeet, Canary, GigaAM and Whisper on ONNX Runtime, through the `onnx-asr` library: a graphics card can help.

ONNX Runtime takes a list of what may run a model and is content with less than was asked for: without a driver, with
a missing library or with too little memory on the card, the processor does it all, twenty times slower, and the only
word of it is a line on stdout. So what a session really got is looked at, and told.
"""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result
from sottovoce.models.engines.offline import Offline
from sottovoce.models.engines.words import words
from sottovoce.models.exceptions import EngineFailed
from sottovoce.models.languages import require_language

_Device = Literal["cuda", "tensorrt", "cpu"]
_PROVIDERS: dict[_Device, str] = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
# CUDA first: TensorRT compiles a model for minutes before its first word.
_ORDER: dict[str, tuple[_Device, ...]] = {
    "auto": ("cuda", "tensorrt"),
    "cuda": ("cuda",),
    "tensorrt": ("tensorrt", "cuda"),
    "cpu": (),
}
_MEGABYTE = 1_000_000
_MINIMUM = 1_600  # samples; the features of NeMo models are divided by the deviation over time, of which 20 ms has none


class OnnxOffline(Offline):
    """A model of `onnx_asr`, read from its directory: nothing is downloaded.

    `Entry.options` may hold `quantization` ("int8": which of the files is meant); the others go with every decode
    (`pnc` of Canary). Whisper hears 30 s and drops what comes after; the others need memory that grows with the
    audio, Parakeet's with its square. Our segmenter ends a segment at 24 s at the latest. What a decode took on the
    processor is given back after it; on a card it is kept, up to `EngineSettings.gpu_memory` for each of the model's
    sessions (Parakeet's decoder, its second, needs 2 % of what its encoder does).

    Attributes:
        providers: ONNX Runtime's execution providers that the sessions got, best first.
        fallback: why they are not what the settings ask for; empty if they are.

    Raises:
        EngineFailed: a file or the library is missing, or ONNX Runtime refuses the model.
        LanguageUnknown: the model is to be told a language that it does not know.
    """

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:
        super().__init__(entry, settings, minimum=_MINIMUM)
        if entry.language_option:
            require_language(entry, settings.language)
        self._options = {key: value for key, value in entry.options.items() if key != "quantization"}
        if entry.language_option and settings.language:
            self._options[entry.language_option] = settings.language
        self._model: Any = self._load(entry, directory, settings)
        self._has_loaded()

    @property
    def _closed(self) -> bool:
        return self._model is None

    def _recognise(self, samples: NDArray[np.float32], audio_s: float) -> Result:
        """Decode; the GIL is free while the network runs."""
        try:
            heard = self._model.recognize(samples, sample_rate=SAMPLE_RATE, **self._options)
        except Exception as error:  # ONNX Runtime's own errors share no other base
            raise EngineFailed(f"model {self.name}: decoding {audio_s:.2f} s failed: {error}") from error
        tokens = tuple(heard.tokens or ())
        return Result(
            text=heard.text.strip(),
            tokens=tokens,
            words=words(tokens, heard.timestamps or (), audio_s),
            log_prob=_mean(heard.logprobs or ()),
        )

    def close(self) -> None:
        """Free the model."""
        self._model = None

    def _load(self, entry: Entry, directory: Path, settings: EngineSettings) -> Any:
        try:
            import onnx_asr
            import onnxruntime
        except ImportError as error:
            raise EngineFailed(
                f"model {entry.name}: {error.name} is not installed; run: pip install onnx-asr onnxruntime"
            ) from error
        if not directory.is_dir():  # onnx-asr would look for it on the Hub
            raise EngineFailed(
                f"model {entry.name}: {directory} is not a directory; run: sottovoce models pull {entry.name}"
            )
        offered = onnxruntime.get_available_providers()
        quantization = str(entry.options.get("quantization", "")) or None
        self.fallback = ""
        refusals: list[str] = []
        for device in (*_ORDER[settings.provider], "cpu"):
            if _PROVIDERS[device] not in offered:
                if settings.provider != "auto":
                    refusals.append(f"this ONNX Runtime is built without {_PROVIDERS[device]}")
                continue
            if device != "cpu" and hasattr(onnxruntime, "preload_dlls"):
                with contextlib.redirect_stdout(io.StringIO()):  # it prints the libraries that it does not find
                    onnxruntime.preload_dlls()
            said = io.StringIO()
            try:
                with contextlib.redirect_stdout(said):
                    model = onnx_asr.load_model(
                        entry.constructor,
                        directory,
                        quantization=quantization,
                        sess_options=_session_options(settings.threads),
                        providers=_providers(device, settings, offered),
                        # Seven sessions for sample rates that never come, since soxr is before them.
                        resampler_config={
                            "sess_options": _session_options(1),
                            "providers": [_PROVIDERS["cpu"]],
                        },
                    )
            except FileNotFoundError as error:
                raise EngineFailed(f"model {entry.name}: {error}; run: sottovoce models pull {entry.name}") from error
            except Exception as error:  # ONNX Runtime's own errors share no other base
                if device == "cpu":
                    raise EngineFailed(f"model {entry.name}: {entry.constructor}: {error}") from error
                refusals.append(f"{_PROVIDERS[device]} failed: {error}")
                continue
            self.providers = _got(model.asr)
            if self.providers[:1] == (_PROVIDERS[device],):
                break
            sys.stderr.write(said.getvalue())
            refusals.append(f"{_PROVIDERS[device]} did not start: its libraries, its driver or a free card are missing")
            if self.providers[0] == _PROVIDERS["cpu"]:
                break  # TensorRT needs all that CUDA needs, and the model is loaded
        if refusals:
            self.fallback = f"{settings.provider} was asked for, but {self.providers[0]} decodes: {'; '.join(refusals)}"
        return model.with_timestamps()


def _session_options(threads: int) -> Any:
    """Return options of a session that neither spins nor keeps what it needed.

    Without the arena what a decode needed is given back: 24 s through a Conformer of 44 M parameters left 90 MB behind
    with it and 40 without, for up to a tenth more time.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False  # a pattern is kept for each length of audio that was ever heard
    options.log_severity_level = 3
    return options


def _providers(device: _Device, settings: EngineSettings, offered: Sequence[str]) -> list[Any]:
    """Return ONNX Runtime's list, best first; the processor takes what is left over."""
    limit = {"gpu_mem_limit": settings.gpu_memory * _MEGABYTE} if settings.gpu_memory else {}
    cuda = (
        _PROVIDERS["cuda"],
        # By default the arena doubles at each step, and every convolution of a new length is timed in all its forms.
        {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC", **limit},
    )
    tensorrt = (
        _PROVIDERS["tensorrt"],
        {"trt_max_workspace_size": settings.gpu_memory * _MEGABYTE} if settings.gpu_memory else {},
    )
    chosen: dict[_Device, list[Any]] = {"cuda": [cuda], "tensorrt": [tensorrt, cuda], "cpu": []}
    return [provider for provider in chosen[device] if provider[0] in offered] + [_PROVIDERS["cpu"]]


def _got(model: object) -> tuple[str, ...]:
    """Return the providers of the model's sessions: of the one that has the fewest, if they differ."""
    import onnxruntime

    sessions = [value for value in vars(model).values() if isinstance(value, onnxruntime.InferenceSession)]
    lists = [tuple(session.get_providers()) for session in sessions]
    return min(lists, key=len, default=(_PROVIDERS["cpu"],))


def _mean(log_probs: Sequence[float]) -> float | None:
    """Return the mean; None where there are none, or where they are not of one (raw scores, not a number)."""
    mean = sum(log_probs) / len(log_probs) if log_probs else math.nan
    return mean if mean <= 0.0 else None
