"""What the warden knows of each stage, and what it tells when one is gone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sottovoce.actors.memory import Excess
from sottovoce.shm import CountersView

WITHOUT = {
    "conductor": "what is being said is still typed, but no recording can be begun or ended",
    "capture": "nothing can be recorded; what was said before is still typed",
    "vad": "what is said stays in the audio ring ([capture] ring_seconds), is found when the stage is back, and typed "
    "within [inject] deliver_within",
    "stt-draft": "everything is typed as before, only nothing is shown while one speaks",
    "stt-final": "what is said stays in the audio ring ([capture] ring_seconds), is decoded when the stage is back, "
    "and typed within [inject] deliver_within",
    "transform": "what is said waits in the journal, and is typed if the stage is back within [inject] deliver_within",
    "inject": "what is said waits in the journal, and is typed if the stage is back within [inject] deliver_within",
}
"""What goes on while a stage is parked."""


@dataclass
class Watched:
    """What the warden knows of a stage."""

    view: CountersView | None = None
    pid: int = 0
    """The process that is known to have lived last and not yet known to have died; 0 for none."""
    pidfd: int | None = None
    turns: int = -1
    moved_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)
    dumping: bool = False
    told: str = ""
    seen_at: float = 0.0
    """When the process was first seen, for those that have no page yet."""
    excess: Excess | None = None
    """It is to be replaced in a quiet moment."""
    parking: bool = False
    """It is to be stopped, and supervisord has not done so yet."""
    doing: str = ""
    """What the process that died last said that it did; "" where nobody saw it."""
    unasked: bool = False
    """It ended in order, and whether supervisord asked it to is not known yet."""
    ending: int = 0
    """The process that was asked to end; 0 for none."""
