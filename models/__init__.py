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
        Placed,
        Punctuator,
        Result,
        SileroVad,
        SmartTurn,
        Stream,
        StreamingEngine,
        Whole,
        Word,
        load_engine,
        load_punctuator,
        load_recogniser,
        load_streaming,
    )
    from sottovoce.models.exceptions import (
        CatalogueInvalid,
        DecodeCancelled,
        DoesNotFit,
        DownloadFailed,
        EngineFailed,
        ImportFailed,
        LanguageUnknown,
        ModelError,
        ModelInUse,
        ModelMissing,
        NoSpace,
        ProbeFailed,
        Quarantined,
        RuntimeConflict,
        SourceFailed,
        UnknownModel,
        VerifyFailed,
    )
    from sottovoce.models.fit import Fit, Machine, Need, recommend, recommendations
    from sottovoce.models.guard_settings import GuardSettings
    from sottovoce.models.languages import check_languages, require_language, spoken
    from sottovoce.models.runtime import OnnxRuntime, check_onnxruntime
    from sottovoce.models.store import PullEvent, Store, StoredModel, cache_root

__all__ = [
    "SAMPLE_RATE",
    "Catalogue",
    "CatalogueInvalid",
    "DecodeCancelled",
    "DoesNotFit",
    "DownloadFailed",
    "EngineFailed",
    "EngineSettings",
    "Entry",
    "Fit",
    "GuardSettings",
    "ImportFailed",
    "LanguageUnknown",
    "Machine",
    "ModelError",
    "ModelInUse",
    "ModelMissing",
    "Need",
    "NoSpace",
    "OfflineEngine",
    "OnnxRuntime",
    "Placed",
    "ProbeFailed",
    "PullEvent",
    "Punctuator",
    "Quarantined",
    "Result",
    "RuntimeConflict",
    "SileroVad",
    "SmartTurn",
    "SourceFailed",
    "Store",
    "StoredModel",
    "Stream",
    "StreamingEngine",
    "UnknownModel",
    "VerifyFailed",
    "Whole",
    "Word",
    "cache_root",
    "check_languages",
    "check_onnxruntime",
    "load_engine",
    "load_punctuator",
    "load_recogniser",
    "load_streaming",
    "recommend",
    "recommendations",
    "require_language",
    "spoken",
]

__getattr__ = lazy(
    __name__,
    {
        "catalogue": ("Catalogue", "Entry"),
        "engines": (
            "SAMPLE_RATE",
            "EngineSettings",
            "OfflineEngine",
            "Placed",
            "Punctuator",
            "Result",
            "SileroVad",
            "SmartTurn",
            "Stream",
            "StreamingEngine",
            "Whole",
            "Word",
            "load_engine",
            "load_punctuator",
            "load_recogniser",
            "load_streaming",
        ),
        "exceptions": (
            "CatalogueInvalid",
            "DecodeCancelled",
            "DoesNotFit",
            "DownloadFailed",
            "EngineFailed",
            "ImportFailed",
            "LanguageUnknown",
            "ModelError",
            "ModelInUse",
            "ModelMissing",
            "ProbeFailed",
            "Quarantined",
            "NoSpace",
            "RuntimeConflict",
            "SourceFailed",
            "UnknownModel",
            "VerifyFailed",
        ),
        "fit": ("Fit", "Machine", "Need", "recommend", "recommendations"),
        "guard_settings": ("GuardSettings",),
        "languages": ("check_languages", "require_language", "spoken"),
        "runtime": ("OnnxRuntime", "check_onnxruntime"),
        "store": ("PullEvent", "Store", "StoredModel", "cache_root"),
    },
)
