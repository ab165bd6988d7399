"""What the processes of Sottovoce say to each other, and what they remember together.

Three lines attach to a running service::

    from sottovoce.protocol import subscribe
    for event in subscribe("transcript.", "state."):
        print(event.topic, event.body)

Names are imported on first use, so that `sottovoce toggle` loads the control client and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sottovoce.shm.lazy import lazy

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
    from sottovoce.protocol.journal import Journal
    from sottovoce.protocol.messages import Event
    from sottovoce.protocol.paths import Paths
    from sottovoce.protocol.rows import Recording, UtteranceRow

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
    "journal": ("Journal",),
    "rows": ("Recording", "UtteranceRow"),
    "messages": ("Event",),
    "paths": ("Paths",),
}
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

__getattr__ = lazy(__name__, _HOME)
