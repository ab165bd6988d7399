"""What ends a process, and whether starting it again can help."""

from __future__ import annotations

# sysexits(3). The supervisor restarts a stage on anything but these (`exitcodes` of the generated configuration).
EXIT_OK = 0
EXIT_UNMENDABLE = 78  # EX_CONFIG: a wrong setting, a missing model, a name in use; starting again gives the same


class ActorError(Exception):
    """Base of the errors of this package."""


class Unmendable(ActorError):
    """The process cannot work until a person changes something; the text says what."""
