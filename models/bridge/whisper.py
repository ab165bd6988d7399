"""A child for the `whisper` package of OpenAI: every Whisper checkpoint, on torch.

Run with the Python that has it (`pip install openai-whisper`), as `python -m sottovoce.models.bridge.whisper`. Options
of the catalogue entry:

==================  ==================================================================================================
checkpoint          the `.pt` file in the model's directory; may be left out where there is one only
name                a model that the package fetches from its own server (`tiny`, `base`, ...), into the directory if
                    there is one; only where there is no checkpoint
word_timestamps     true: when each word was said, which takes some longer
beam_size           hypotheses that are followed; 1 where it is left out
temperature         one in the place of six, of which the next is tried where the text looks wrong; 0 is the fastest
prompt              text that comes before the vocabulary in the prompt
==================  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sottovoce.models.bridge.handler import Decode, Handler, Heard, Load, Refused, Said
from sottovoce.models.bridge.once import main

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPTIONS = {"checkpoint", "name", "word_timestamps", "beam_size", "temperature", "prompt"}


class Whisper(Handler):
    """OpenAI's implementation of Whisper."""

    name = "openai-whisper"
    cancels = True

    def __init__(self) -> None:
        self._model: Any = None
        self._options: dict[str, Any] = {}
        self._request: Decode | None = None
        self._seed: Callable[[int], Any] = int

    def load(self, request: Load) -> None:
        """Load a checkpoint from the directory, or one that the package knows."""
        if unknown := request.options.keys() - _OPTIONS:
            raise Refused(f"option {min(unknown)} is none of {', '.join(sorted(_OPTIONS))}")
        self.unload()
        source, folder = _source(request)
        try:
            import torch
            import whisper
        except ImportError as error:
            raise Refused(f"{error}; run, with the Python of this child: pip install openai-whisper") from error
        self._seed = torch.manual_seed
        torch.set_num_threads(max(1, request.threads))
        self.version = str(getattr(whisper, "__version__", ""))
        self.device = "cuda" if request.provider != "cpu" and torch.cuda.is_available() else "cpu"
        if self.device == "cuda" and request.gpu_memory:
            whole = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, request.gpu_memory * 1e6 / whole))
        self._model = whisper.load_model(source, device=self.device, download_root=folder)
        self._options = dict(request.options)
        # The decoder runs once a token: often enough to notice that nobody waits any more.
        self._model.decoder.register_forward_pre_hook(self._look_up)

    def decode(self, samples: NDArray[np.float32], request: Decode) -> Heard:
        """Run `transcribe`, without the text of what was said before."""
        vocabulary = ", ".join(request.hotwords)
        prompt = " ".join(part for part in (str(self._options.get("prompt", "")), vocabulary) if part)
        beams = int(self._options.get("beam_size", 1))
        more: dict[str, Any] = {"beam_size": beams} if beams > 1 else {}
        if "temperature" in self._options:
            more["temperature"] = float(self._options["temperature"])
        self._seed(0)  # what it is unsure of is decoded again, at random; the same samples are to give the same text
        self._request = request
        try:
            result = self._model.transcribe(
                samples,
                language=request.language or None,
                initial_prompt=prompt or None,
                word_timestamps=bool(self._options.get("word_timestamps", False)),
                condition_on_previous_text=False,
                fp16=self.device == "cuda",
                verbose=None,
                **more,
            )
        finally:
            self._request = None
        return _heard(result)

    def unload(self) -> None:
        """Free the model, and what torch has set aside on a card for it."""
        if self._model is None:
            return
        self._model = None
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()

    def _look_up(self, *_: Any) -> None:
        if self._request is not None:
            self._request.check()


def _source(request: Load) -> tuple[str, str | None]:
    """Return what `load_model` is to load, and where it may put what it fetches."""
    folder = Path(request.directory) if request.directory else None
    checkpoint = str(request.options.get("checkpoint", ""))
    found = sorted(folder.glob("*.pt")) if folder is not None else []
    if checkpoint and folder is not None:
        path = folder / checkpoint
        if not path.is_file():
            raise Refused(f"{path} is not a file; correct option checkpoint, or pull the model again")
        return str(path), None
    if len(found) == 1:
        return str(found[0]), None
    if found:
        raise Refused(f"{folder} has {len(found)} checkpoints; name one with option checkpoint")
    if name := str(request.options.get("name", "")):
        return name, str(folder) if folder is not None else None
    raise Refused(f"{folder or 'no directory'} has no checkpoint (*.pt), and option name names no model")


def _heard(result: dict[str, Any]) -> Heard:
    segments = result.get("segments", [])
    weights = [max(1, len(segment.get("tokens", ()))) for segment in segments]
    total = sum(
        weight * float(segment["avg_logprob"]) for weight, segment in zip(weights, segments, strict=True)
    )  # avg_logprob is a mean over its tokens and the final one
    return Heard(
        text=result["text"],
        words=tuple(
            Said(word["word"].strip(), float(word["start"]), float(word["end"]))
            for segment in segments
            for word in segment.get("words", ())
        ),
        log_prob=total / sum(weights) if segments else None,
        language=str(result.get("language") or ""),
    )


if __name__ == "__main__":
    main(Whisper())
