"""Where a child's samples come from: a range of the ring, a file that the parent wrote, a sound file of the user's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sottovoce.models.bridge.handler import Refused
from sottovoce.models.bridge.wire import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KINDS = ("ring", "file")


class AudioGone(Refused):
    """The ring has moved on, or is another one."""


def fetch(audio: dict[str, Any]) -> NDArray[np.float32]:
    """Return the samples that a `decode` message names.

    Raises:
        AudioGone: they are not in the ring any more.
        Refused: they cannot be read, or are named in a way that is not ours.
    """
    try:
        if audio["kind"] == "ring":
            return _from_ring(Path(audio["path"]), int(audio["stream"]), int(audio["first"]), int(audio["end"]))
        if audio["kind"] == "file":
            return _from_file(Path(audio["path"]), int(audio["samples"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"the audio is not named as the protocol says: {type(error).__name__}") from error
    raise Refused(f"audio of kind {str(audio['kind'])[:20]!r} is none of {', '.join(KINDS)}")


def _from_ring(path: Path, stream: int, first: int, end: int) -> NDArray[np.float32]:
    from sottovoce.shm import RingCorrupt, RingLapped, RingMissing, RingRange, RingReader, RingStale, ShmError

    try:
        with RingReader.attach(path) as reader:
            if reader.stream != stream:
                raise AudioGone(f"the ring is stream {reader.stream}, not {stream}")
            return reader.samples(first, end)
    except (RingCorrupt, RingLapped, RingMissing, RingRange, RingStale) as error:
        raise AudioGone(str(error)) from error
    except (ShmError, OSError) as error:
        raise Refused(f"the ring cannot be read: {error}") from error


def _from_file(path: Path, samples: int) -> NDArray[np.float32]:
    import numpy as np

    try:
        read = np.fromfile(path, dtype="<f4")
    except OSError as error:
        raise AudioGone(f"the audio cannot be read: {error.strerror}") from error
    if read.size != samples:
        raise AudioGone(f"the audio has {read.size} samples, not {samples}")
    return read.astype(np.float32, copy=False)


def from_sound_file(path: Path) -> NDArray[np.float32]:
    """Return a sound file as float32 of shape (n,) at 16 kHz: channels averaged, resampled with soxr.

    Without the package soundfile, WAV of 16 bits is read.

    Raises:
        Refused: it cannot be read, or a package is needed for it; says which.
    """
    try:
        samples, rate = _read(path)
    except FileNotFoundError as error:
        raise Refused(f"{path}: no such file") from error
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise Refused(f"{path}: cannot be read: {error}") from error
    if rate == SAMPLE_RATE or not samples.size:
        return samples
    try:
        import soxr
    except ImportError as error:
        raise Refused(f"{path}: its rate is {rate} Hz, not {SAMPLE_RATE}; run: pip install soxr") from error
    resampled: NDArray[np.float32] = soxr.resample(samples, rate, SAMPLE_RATE)
    return resampled


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    import numpy as np

    with path.open("rb"):
        pass  # what libsndfile says of a file that is not there is "System error"
    try:
        import soundfile
    except ImportError:
        return _read_wave(path)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32)), int(rate)


def _read_wave(path: Path) -> tuple[NDArray[np.float32], int]:
    import wave

    import numpy as np

    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2:
                raise ValueError("it is not of 16 bits; run: pip install soundfile")
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
            rate = file.getframerate()
    except wave.Error as error:
        raise ValueError(f"{error}; for anything but WAV run: {sys.executable} -m pip install soundfile") from error
    return (raw.mean(axis=1, dtype=np.float32) / np.float32(32768)), rate
