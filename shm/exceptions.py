"""What can be wrong with a shared file; every message names the file, what is wrong with it and what to do."""


class ShmError(Exception):
    """Base of every error raised by this package (arguments of a wrong shape or type raise ValueError)."""


class ShmInsecure(ShmError):
    """The file or its directory could be read or changed by somebody else, so it is not used."""


class ShmNotTmpfs(ShmError):
    """The file would lie on a disk: audio must not, and a mapping of it could stall the writer."""


class ShmFull(ShmError):
    """There is no room for the file, found out before a store into it could end in SIGBUS."""


class RingMissing(ShmError):
    """There is no ring at this path yet, or its writer has not finished creating it; try again later."""


class RingStale(ShmError):
    """The ring was left behind by another boot of this machine; its clocks mean nothing now."""


class RingCorrupt(ShmError):
    """The file is not a ring of this version and shape, or a frame of it fails its checks."""


class RingBusy(ShmError):
    """Another live process is the writer of this ring; `pid` is its process id, or 0 where it is not known."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class RingRange(ShmError, ValueError):
    """The range of samples is not one that can be asked for: negative, reversed, or not published yet."""


class RingLapped(ShmError):
    """The writer has overwritten some of the samples asked for."""


class RingGap(ShmError):
    """The range crosses samples that were never captured: `first` <= i < `end`."""

    def __init__(self, message: str, first: int, end: int) -> None:
        super().__init__(message)
        self.first = first
        self.end = end


class CountersInvalid(ShmError):
    """There is no counters page at this path, or what is there is unfinished, foreign or from another boot."""
