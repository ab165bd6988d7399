"""Marks and capitals for the text of models that give neither, by a model of sherpa-onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import EngineSettings
from sottovoce.models.engines.sherpa_call import find_files, place
from sottovoce.models.exceptions import EngineFailed


class SherpaPunctuator:
    """A `sherpa_onnx.OfflinePunctuation`, or an `OnlinePunctuation`, which gives capitals too.

    The entry's `constructor` is the one name or the other; the model of the latter knows lower case alone, and is given
    that.

    Raises:
        EngineFailed: a file is missing, or sherpa-onnx lacks or refuses what the entry asks for.
    """

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:
        self.name = entry.name
        files = {argument: str(path) for argument, path in find_files(entry, directory).items()}
        import sherpa_onnx

        if not (entry.constructor.endswith("Punctuation") and hasattr(sherpa_onnx, entry.constructor)):
            raise EngineFailed(
                f"model {entry.name}: sherpa-onnx {sherpa_onnx.__version__} has no {entry.constructor} for marks; "
                "update sherpa-onnx, or correct the catalogue"
            )
        provider, self.providers, self.fallback = place(settings)
        try:
            model = getattr(sherpa_onnx, f"{entry.constructor}ModelConfig")(
                **files, **entry.options, num_threads=settings.threads, provider=provider
            )
            config = getattr(sherpa_onnx, f"{entry.constructor}Config")(model)
            self._engine: Any = getattr(sherpa_onnx, entry.constructor)(config)
        except (TypeError, ValueError, RuntimeError) as error:
            raise EngineFailed(f"model {entry.name}: {entry.constructor}: {error}") from error
        self._cased = hasattr(self._engine, "add_punctuation_with_case")

    def punctuate(self, text: str) -> str:
        """Return the text with marks; see `Punctuator.punctuate`."""
        if self._engine is None:
            raise EngineFailed(f"model {self.name} is closed")
        if not text.strip():
            return ""
        try:
            marked: str = (
                self._engine.add_punctuation_with_case(text.lower())
                if self._cased
                else self._engine.add_punctuation(text)
            )
        except RuntimeError as error:
            raise EngineFailed(f"model {self.name}: {len(text)} characters failed: {error}") from error
        return marked.strip()

    def close(self) -> None:
        """Free the model."""
        self._engine = None
