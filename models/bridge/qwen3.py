"""A child for Qwen3-ASR, with the package `qwen-asr` on transformers.

Run with the Python that has it (`pip install qwen-asr`), as `python -m sottovoce.models.bridge.qwen3`. Options of the
catalogue entry:

==============  ======================================================================================================
repository      a repository on the Hugging Face Hub, such as `Qwen/Qwen3-ASR-0.6B`, which transformers fetches and
                keeps; where it is left out, the model's directory holds the files of one
dtype           `float32`, `bfloat16` or `float16`; where it is left out, `bfloat16` on a card, `float32` on a processor
aligner         a repository or directory of `Qwen3-ForcedAligner-0.6B`, for when each word was said
max_new_tokens  longest answer; 512 where it is left out, some three minutes of speech
context         text that comes before the vocabulary in the context
==============  ======================================================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sottovoce.models.bridge import languages
from sottovoce.models.bridge.handler import Decode, Handler, Heard, Load, Refused, Said
from sottovoce.models.bridge.once import main
from sottovoce.models.bridge.wire import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPTIONS = {"repository", "dtype", "aligner", "max_new_tokens", "context"}
_DTYPES = ("float32", "bfloat16", "float16")


class Qwen3(Handler):
    """Qwen3-ASR on the transformers back end."""

    name = "qwen-asr"

    def __init__(self) -> None:
        self._model: Any = None
        self._context = ""
        self._aligned = False

    def load(self, request: Load) -> None:
        """Load the model, and the aligner if there is one."""
        options = request.options
        if unknown := options.keys() - _OPTIONS:
            raise Refused(f"option {min(unknown)} is none of {', '.join(sorted(_OPTIONS))}")
        source = str(options.get("repository", "")) or request.directory
        if not options.get("repository") and not (Path(source) / "config.json").is_file():
            raise Refused(f"{source or 'no directory'} has no config.json; pull the model, or set option repository")
        self.unload()
        try:
            import qwen_asr
            import torch
        except ImportError as error:
            raise Refused(f"{error}; run, with the Python of this child: pip install qwen-asr") from error
        torch.manual_seed(0)
        torch.set_num_threads(max(1, request.threads))
        card = request.provider != "cpu" and torch.cuda.is_available()
        self.device = "cuda" if card else "cpu"
        dtype = str(options.get("dtype", "bfloat16" if card else "float32"))
        if dtype not in _DTYPES:
            raise Refused(f"option dtype is {dtype!r}, not one of {', '.join(_DTYPES)}")
        kind: dict[str, Any] = {"dtype": getattr(torch, dtype), "device_map": "cuda:0" if card else "cpu"}
        if card and request.gpu_memory:
            kind["max_memory"] = {0: f"{request.gpu_memory}MB"}
        aligner = str(options.get("aligner", ""))
        if aligner:
            kind |= {"forced_aligner": aligner, "forced_aligner_kwargs": dict(kind)}
        self._model = qwen_asr.Qwen3ASRModel.from_pretrained(
            source, max_inference_batch_size=1, max_new_tokens=int(options.get("max_new_tokens", 512)), **kind
        )
        self._aligned = bool(aligner)
        self._context = str(options.get("context", ""))

    def decode(self, samples: NDArray[np.float32], request: Decode) -> Heard:
        """Run `transcribe`, the vocabulary in its context."""
        language = languages.name(request.language)
        if request.language and not language:
            raise Refused(f"language {request.language!r} is none that Qwen3-ASR can be told")
        (result,) = self._model.transcribe(
            audio=(samples, SAMPLE_RATE),
            context=" ".join(part for part in (self._context, *request.hotwords) if part),
            language=language.capitalize() or None,
            return_time_stamps=self._aligned,
        )
        heard = str(result.language or "").split(",")[0]  # of several, the first that was spoken
        return Heard(
            text=result.text,
            words=tuple(
                Said(item.text, float(item.start_time), float(item.end_time)) for item in result.time_stamps or ()
            ),
            language=languages.code(heard),
        )

    def unload(self) -> None:
        """Free the model, and what torch has set aside on a card for it."""
        if self._model is None:
            return
        self._model = None
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()


if __name__ == "__main__":
    main(Qwen3())
