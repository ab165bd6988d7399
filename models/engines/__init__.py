"""Engines: one adapter for each family of models, behind one small interface."""

from sottovoce.models.engines.base import (
    SAMPLE_RATE,
    EngineSettings,
    OfflineEngine,
    Placed,
    Punctuator,
    Result,
    Stream,
    StreamingEngine,
    Word,
)
from sottovoce.models.engines.load import load_engine, load_punctuator, load_recogniser, load_streaming
from sottovoce.models.engines.silero import SileroVad
from sottovoce.models.engines.smart_turn import SmartTurn
from sottovoce.models.engines.whole import Whole

__all__ = [
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
]
