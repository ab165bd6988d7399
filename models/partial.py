"""A file that is being downloaded: it outlives its process, and the next pull goes on with it.

    <root>/partial/<key>.part     the bytes so far
    <root>/partial/<key>.note     what they are bytes of: address, validator, length; JSON

Whoever writes to it holds a flock on it. Nothing here is a model yet: a file leaves this folder once it is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from sottovoce.shm.closing import Closing


class Note(msgspec.Struct, frozen=True):
    """What a partial file is a part of."""

    url: str = ""
    """Without query: signed addresses change from one answer to the next."""
    etag: str = ""
    """A strong one (RFC 9110 8.8.1); "" where the server has none."""
    modified: str = ""
    """Its `Last-Modified`, as it came."""
    total: int | None = None
    """Bytes of the whole."""
    boot: str = ""
    """The machine's boot: bytes that were written before a crash of the machine may not have reached the disk."""

    @property
    def validator(self) -> str:
        """What `If-Range` is given; "" where nothing tells one version of the file from another."""
        return self.etag or self.modified


def key(url: str, sha256: str | None) -> str:
    """Return a partial file's name: by its checksum where that is known, for then any mirror may go on with it."""
    plain = without_query(url)
    digest = sha256 or hashlib.sha256(plain.encode()).hexdigest()
    return f"{digest[:16]}-{plain.rsplit('/', 1)[-1][:80]}.part"


def without_query(url: str) -> str:
    """Return an address fit to be shown and kept: no user, no password, no signature."""
    parts = urlsplit(url)
    return parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()


class Partial(Closing):
    """One such file, open and locked.

    Attributes:
        path: the file.
        size: bytes that it has.
        note: what it is a part of.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self.note = _read(self._beside)

    @classmethod
    def take(cls, path: Path) -> Partial | None:
        """Open a partial file, or begin one; None where another process has it.

        Raises:
            OSError: it cannot be opened or made.
        """
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(descriptor, path):  # else its last holder took it away between our two calls
                    if os.fstat(descriptor).st_nlink == 1:
                        return cls(descriptor, path)
                    path.unlink()  # it was put into a model, and its process killed; that file is not ours any more
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    @property
    def whole(self) -> bool:
        """Whether it has as many bytes as it should."""
        return self.size == self.note.total

    @property
    def trusted(self) -> bool:
        """Whether its bytes are those that were written: no crash of the machine since."""
        return bool(self.note.boot) and self.note.boot == _boot()

    def restart(self, note: Note) -> None:
        """Throw its bytes away and begin another file."""
        os.ftruncate(self._descriptor, 0)
        self.size = 0
        self.annotate(note)

    def annotate(self, note: Note) -> None:
        """Write down what it is a part of."""
        self.note = msgspec.structs.replace(note, boot=_boot())
        fresh = self._beside.with_suffix(".fresh")
        fresh.write_bytes(msgspec.json.encode(self.note))
        fresh.replace(self._beside)

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            OSError: the disk is full, or broken; what was written of it stays and is counted.
        """
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, self.size)
            self.size += written
            view = view[written:]

    def discard(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        self._beside.unlink(missing_ok=True)
        self._beside.with_suffix(".fresh").unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def _beside(self) -> Path:
        return self.path.with_suffix(".note")


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _read(path: Path) -> Note:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):  # none yet, or its writer was killed: the bytes are then not trusted
        return Note()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
