"""What can go wrong between processes; every message names what, where, and the mend."""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of all errors of this package."""


class PathError(ProtocolError):
    """A runtime, state or configuration path cannot be used as it is."""


class ConfigError(ProtocolError):
    """The configuration file does not say what it may say."""


class MessageError(ProtocolError):
    """A message is not what its type promises; the text holds the JSON path, never the content."""


class EndpointBusy(ProtocolError):
    """Another living process owns this name; binding over it would silently steal its subscribers."""


class ControlError(ProtocolError):
    """A control request was refused, or nobody answered; `code` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class JournalError(ProtocolError):
    """The journal cannot be opened or written; the text says what to do with the file."""


class JournalUnavailable(JournalError):
    """The journal cannot be read or written at this moment: a full disk, say; `lock` if only a lock is in the way."""

    def __init__(self, text: str, *, lock: bool = False) -> None:
        super().__init__(text)
        self.lock = lock
