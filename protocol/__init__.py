"""What the processes of Sottovoce say to each other, and what they remember together.

Three lines attach to a running service::

    from sottovoce.protocol import subscribe
    for event in subscribe("transcript.", "state."):
        print(event.topic, event.body)

Names are imported on first use, so that `sottovoce toggle` loads the control client and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sottovoce.protocol.bus import STAGES, Publisher, Subscriber
    from sottovoce.protocol.client import subscribe
    from sottovoce.protocol.config import Config, load_config
    from sottovoce.protocol.control import ControlServer, request
    from sottovoce.protocol.exceptions import (
        ConfigError,
        ControlError,
        EndpointBusy,
        JournalError,
        MessageError,
        PathError,
        ProtocolError,
    )
    from sottovoce.protocol.journal import Journal, Recording, UtteranceRow
    from sottovoce.protocol.messages import Event
    from sottovoce.protocol.paths import Paths

_HOME = {
    "bus": ("STAGES", "Publisher", "Subscriber"),
    "client": ("subscribe",),
    "config": ("Config", "load_config"),
    "control": ("ControlServer", "request"),
    "exceptions": (
        "ConfigError",
        "ControlError",
        "EndpointBusy",
        "JournalError",
        "MessageError",
        "PathError",
        "ProtocolError",
    ),
    "journal": ("Journal", "Recording", "UtteranceRow"),
    "messages": ("Event",),
    "paths": ("Paths",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "STAGES",
    "Config",
    "ConfigError",
    "ControlError",
    "ControlServer",
    "EndpointBusy",
    "Event",
    "Journal",
    "JournalError",
    "MessageError",
    "PathError",
    "Paths",
    "ProtocolError",
    "Publisher",
    "Recording",
    "Subscriber",
    "UtteranceRow",
    "load_config",
    "request",
    "subscribe",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
