"""Engines: one adapter for each family of models, behind one small interface."""

from sottovoce.models.engines.base import (
    SAMPLE_RATE,
    EngineSettings,
    OfflineEngine,
    Result,
    Stream,
    StreamingEngine,
    Word,
)
from sottovoce.models.engines.load import load_engine
from sottovoce.models.engines.silero import SileroVad
from sottovoce.models.engines.smart_turn import SmartTurn

__all__ = [
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
]
