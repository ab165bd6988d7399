"""Audio files of any common kind as mono float32 at 16 kHz, whole or block by block, in flat memory.

libsndfile reads WAV, FLAC, OGG (Vorbis, Opus) and AIFF; FFmpeg, by PyAV, reads the rest: MP3, M4A, WebM, and WAVs that
a recorder never finished, in which libsndfile sees no samples. The content decides, not the name. libsndfile could read
MP3 too, but its decoder (mpg123) prints to the process's stderr what it thinks of a bad file, which no option prevents.

The trap is the file that is shorter than it says: a download cut off, a disk that was full. Decoders hand out the first
half and report success, and half a dictation is worse than an error, so what was decoded is compared with what the file
promised wherever it promises anything. An OGG promises nothing, for its length is in its last page; there the page that
the cut went through gives it away. A file that was *meant* to have no length, from a pipe or a stream, is read to its
end.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

SAMPLE_RATE = 16_000
"""Hz, of everything that comes out of here."""

Samples = NDArray[np.float32]

# How files begin that are libsndfile's; what it does not know, it may take for MP3.
_SNDFILE_HEAD = re.compile(rb"(RIFF|RIFX|RF64)....WAVE|FORM....AIF[FC]|fLaC|OggS", re.DOTALL)
_CHUNK_S = 1.0  # seconds decoded at a time: 31 blocks of the ring
# Writers that stream do not know the length and put a huge one: FFmpeg 2^32-1, arecord 2^31, SoX just below 2^31.
_UNKNOWN_LENGTH = 0x7FFF_0000
# A container's duration is rounded (MP4: milliseconds) and counts the encoder's padding (AAC: up to 2,112 samples).
_CONTAINER_SLACK_S = 0.25
_CUT_ADVICE = "get the whole file, or convert what is there with ffmpeg"
_AV_TIME_BASE = 1_000_000  # units of a container's duration a second (libavutil/avutil.h)


class AudioFileError(Exception):
    """A file that cannot be read as audio; the text is one line: the file, what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says about itself."""

    path: Path
    format: str
    """Container and codec, for people: `WAV PCM_16`, `mp3 mp3float`."""
    sample_rate: int
    """Hz."""
    channels: int
    duration_s: float | None
    """Seconds; None where the file does not say, and an estimate for an MP3 without a length in it."""


def info(path: Path | str) -> AudioInfo:
    """Read a file's header.

    Raises:
        AudioFileError: as for `blocks`, as far as the header shows it.
    """
    with _open(Path(path)) as source:
        return source.info


def decode_file(path: Path | str) -> Samples:
    """Decode a whole file.

    Returns:
        float32, shape (n,), 16 kHz, channels averaged, full scale 1.0.

    Raises:
        AudioFileError: as for `blocks`.
    """
    return np.concatenate(list(_resampled(Path(path))))


def blocks(path: Path | str, frames: int = 512) -> Generator[Samples, None, None]:
    """Decode a file block by block.

    Args:
        path: the file.
        frames: samples a block.

    Yields:
        float32, shape (frames,), 16 kHz mono; the last block may be shorter. Each is a new array.

    Raises:
        AudioFileError: not there, not a file, unreadable, empty, not audio, holding no samples, cut short or damaged.
            Raised by the first `next`, but for damage further on, which shows when it is reached.
    """
    rest = np.empty(0, np.float32)
    for chunk in _resampled(Path(path)):
        rest = np.concatenate((rest, chunk))
        whole = len(rest) - len(rest) % frames
        for start in range(0, whole, frames):
            yield rest[start : start + frames].copy()
        rest = rest[whole:]
    if len(rest):
        yield rest


def _resampled(path: Path) -> Iterator[Samples]:
    with _open(path) as source:
        rate = source.info.sample_rate
        resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None
        decoded = 0
        for chunk in source.chunks():
            if not np.isfinite(chunk).all():
                raise AudioFileError(f"{path}: holds samples that are not numbers near {decoded / rate:.2f} s")
            decoded += len(chunk)
            yield chunk if resampler is None else resampler.resample_chunk(chunk)
        if not decoded:
            raise AudioFileError(f"{path}: holds no audio samples")
        source.check(decoded)
        if resampler is not None:
            yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


@contextmanager
def _open(path: Path) -> Iterator[_Sndfile | _Ffmpeg]:
    """Open a file with the library that reads it; what that raises, here or in the body, becomes AudioFileError."""
    try:
        if path.exists() and not path.is_file():  # a directory, a pipe, a device
            raise AudioFileError(f"{path}: is not a regular file")
        with path.open("rb") as file:
            head = file.read(12)
            file.seek(0)
            if not head:
                raise AudioFileError(f"{path}: is empty (0 bytes)")
            if head.startswith(b"OggS") and _ogg_is_cut(file):
                raise AudioFileError(f"{path}: is cut short: it ends within a page; {_CUT_ADVICE}")
            reader = _Sndfile if _SNDFILE_HEAD.match(head) and _sndfile_reads(path) else _Ffmpeg
            with reader.open(path, file) as source:
                yield source
    except OSError as error:  # missing, no permission
        raise AudioFileError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # a path that no file can have: with a NUL in it, or half a character
        raise AudioFileError(f"{str(path)!a}: {error}") from error


class _Sndfile:
    """A file as libsndfile reads it."""

    def __init__(self, path: Path, file: soundfile.SoundFile, promised: int | None) -> None:
        self.info = AudioInfo(
            path, f"{file.format} {file.subtype}", file.samplerate, file.channels, file.frames / file.samplerate
        )
        self._file = file
        self._promised = file.frames if promised is None else promised

    @classmethod
    @contextmanager
    def open(cls, path: Path, file: BinaryIO) -> Iterator[_Sndfile]:
        try:
            with soundfile.SoundFile(path) as opened:
                source = cls(path, opened, _wav_frames(file))
                source.check(opened.frames)  # before a word of it is typed: a WAV shows at once that it was cut
                yield source
        except soundfile.LibsndfileError as error:
            raise _unreadable(path, error.error_string) from error

    def chunks(self) -> Iterator[Samples]:
        frames = max(1, round(self.info.sample_rate * _CHUNK_S))
        while len(chunk := self._file.read(frames, dtype="float32", always_2d=True)):
            yield _mixed(chunk, axis=1)

    def check(self, decoded: int) -> None:
        if decoded < self._promised:
            raise _cut_short(self.info, decoded, self._promised)


class _Ffmpeg:
    """A file as FFmpeg reads it."""

    def __init__(self, path: Path, container: av.container.InputContainer, trusted: bool) -> None:
        if not container.streams.audio:
            raise AudioFileError(f"{path}: has no audio in it")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None:
            raise AudioFileError(f"{path}: not a readable audio file: {container.format.name} with an unknown codec")
        if not codec.sample_rate:  # text under the name of a FLAC, which FFmpeg believes
            raise AudioFileError(f"{path}: not a readable audio file: {container.format.name} without a sample rate")
        duration: float | None = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / _AV_TIME_BASE
        name = f"{container.format.name} {codec.name}"
        self.info = AudioInfo(path, name, codec.sample_rate, codec.channels, duration)
        self._container = container
        self._stream = stream
        self._promised = duration if trusted else None

    @classmethod
    @contextmanager
    def open(cls, path: Path, file: BinaryIO) -> Iterator[_Ffmpeg]:
        import av  # here, since it costs 17 MB and 50 ms, and most recordings are WAV

        # A playlist is a file too (HLS, ffconcat) and names other files and addresses, which FFmpeg would open. We
        # hand it an open file, for which it needs no protocol, so it gets none.
        trusted = not _is_mp3_without_length(file)
        try:
            with av.open(file, "r", options={"protocol_whitelist": "none"}, metadata_errors="replace") as container:
                yield cls(path, container, trusted)
        except av.FFmpegError as error:
            raise _unreadable(path, error.strerror or str(error)) from error

    def chunks(self) -> Iterator[Samples]:
        import av

        to_float = av.AudioResampler(format="fltp")  # of the samples, not of the rate
        frames: list[Samples] = []
        size = 0
        for decoded in self._container.decode(self._stream):
            for frame in to_float.resample(decoded):
                frames.append(_mixed(frame.to_ndarray(), axis=0))
                size += len(frames[-1])
            if size >= self.info.sample_rate * _CHUNK_S:
                yield np.concatenate(frames)
                frames, size = [], 0
        if frames:
            yield np.concatenate(frames)

    def check(self, decoded: int) -> None:
        rate = self.info.sample_rate
        if self._promised is not None and decoded < (self._promised - _CONTAINER_SLACK_S) * rate:
            raise _cut_short(self.info, decoded, round(self._promised * rate))


def _mixed(samples: NDArray[Any], axis: int) -> Samples:
    """Return the mean of all channels; what is no number becomes none, which `_resampled` finds, without a warning."""
    with np.errstate(invalid="ignore", over="ignore"):
        mixed: Samples = samples.mean(axis=axis, dtype=np.float32)
    return mixed


def _unreadable(path: Path, reason: str) -> AudioFileError:
    return AudioFileError(f"{path}: not a readable audio file: {reason.removeprefix('Error : ').rstrip('.')}")


def _cut_short(info: AudioInfo, present: int, promised: int) -> AudioFileError:
    promise, found = promised / info.sample_rate, present / info.sample_rate
    reason = f"is cut short or damaged: it promises {promise:.2f} s of audio and holds {found:.2f} s"
    return AudioFileError(f"{info.path}: {reason}; {_CUT_ADVICE}")


def _ogg_is_cut(file: BinaryIO) -> bool:
    """Tell whether the last page is incomplete (RFC 3533, section 6): 27 bytes, a table of lengths, and the body."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 0x1_0000))  # a page has 65,307 bytes at most
    tail = file.read()
    file.seek(0)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27:
        return True
    table = page[27 : 27 + page[26]]
    return len(table) < page[26] or len(page) < 27 + len(table) + sum(table)


def _sndfile_reads(path: Path) -> bool:
    try:
        with soundfile.SoundFile(path) as file:
            return bool(file.frames)
    except soundfile.LibsndfileError:
        return False


def _wav_frames(file: BinaryIO) -> int | None:
    """Return how many sample frames a WAV's header promises; None if it is no WAV or does not say.

    libsndfile has this number too, and quietly lowers it to what the file holds.
    """
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    align = 0
    long_size: int | None = None
    while len(chunk := file.read(8)) == 8:
        kind, size = struct.unpack("<4sI", chunk)
        if kind == b"data":
            size = long_size if long_size is not None and size == 0xFFFF_FFFF else size
            return None if not align or (long_size is None and size >= _UNKNOWN_LENGTH) else size // align
        body = file.tell()
        if kind == b"fmt ":
            align = int.from_bytes(file.read(14)[12:], "little")
        elif kind == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        file.seek(body + size + size % 2)
    return None


def _is_mp3_without_length(file: BinaryIO) -> bool:
    """Tell whether this is an MP3 whose first frame has no Xing or Info tag, so that its duration is a guess."""
    tag = file.read(10)
    if tag[:3] == b"ID3":  # its size is in four bytes of seven bits (ID3v2, section 3.1)
        file.seek(sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=False)), os.SEEK_CUR)
    else:
        file.seek(0)
    frame = file.read(256)
    file.seek(0)
    return frame[:1] == b"\xff" and frame[1:2] >= b"\xe0" and b"Xing" not in frame and b"Info" not in frame
