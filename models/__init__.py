"""Models: the catalogue of them, the store that has them on this disk, and the engines that run them.

After one `store.pull([name])`, `load_engine(store.catalogue[name], store.path(name)).decode(samples)` gives a `Result`.
Nothing here imports an inference library until an engine is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sottovoce.shm.lazy import lazy

if TYPE_CHECKING:
    from sottovoce.models.catalogue import Catalogue, Entry
    from sottovoce.models.engines import (
        SAMPLE_RATE,
        EngineSettings,
        OfflineEngine,
        Result,
        SileroVad,
        SmartTurn,
        Stream,
        StreamingEngine,
        Word,
        load_engine,
    )
    from sottovoce.models.exceptions import (
        CatalogueInvalid,
        DownloadFailed,
        EngineFailed,
        ModelError,
        ModelMissing,
        RuntimeConflict,
        UnknownModel,
        VerifyFailed,
    )
    from sottovoce.models.runtime import OnnxRuntime, check_onnxruntime
    from sottovoce.models.store import PullEvent, Store, StoredModel, cache_root

__all__ = [
    "SAMPLE_RATE",
    "Catalogue",
    "CatalogueInvalid",
    "DownloadFailed",
    "EngineFailed",
    "EngineSettings",
    "Entry",
    "ModelError",
    "ModelMissing",
    "OfflineEngine",
    "OnnxRuntime",
    "PullEvent",
    "Result",
    "RuntimeConflict",
    "SileroVad",
    "SmartTurn",
    "Store",
    "StoredModel",
    "Stream",
    "StreamingEngine",
    "UnknownModel",
    "VerifyFailed",
    "Word",
    "cache_root",
    "check_onnxruntime",
    "load_engine",
]

__getattr__ = lazy(
    __name__,
    {
        "catalogue": ("Catalogue", "Entry"),
        "engines": (
            "SAMPLE_RATE",
            "EngineSettings",
            "OfflineEngine",
            "Result",
            "SileroVad",
            "SmartTurn",
            "Stream",
            "StreamingEngine",
            "Word",
            "load_engine",
        ),
        "exceptions": (
            "CatalogueInvalid",
            "DownloadFailed",
            "EngineFailed",
            "ModelError",
            "ModelMissing",
            "RuntimeConflict",
            "UnknownModel",
            "VerifyFailed",
        ),
        "runtime": ("OnnxRuntime", "check_onnxruntime"),
        "store": ("PullEvent", "Store", "StoredModel", "cache_root"),
    },
)
