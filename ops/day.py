"""A day at a desk, as audio: sessions of dictation, an open microphone in a quiet room, and hours of nothing.

Real days are mostly silence, and silence is where a service leaks unseen. Of a day that is made here some 65 % are
recorded and 8 % are clips of speech. All of it follows from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from sottovoce.actors.audiofile import decode_file
from sottovoce.protocol.clocks import SAMPLE_RATE

DENSE: Final = 0.5
"""Share of speech in a dictation: one thinks as long as one speaks."""
SPARSE: Final = 0.03
"""Share of speech before an open microphone."""
_NOISE: Final = 33.0  # rms in 16-bit units, -60 dBFS: a quiet room before a headset
_AUDIO: Final = (".wav", ".flac")
_TILE_S: Final = 61  # the noise repeats after this; a prime, so that it falls elsewhere in each minute
_SHORTEST_PAUSE: Final = SAMPLE_RATE * 7 // 10  # above [vad] endpoint: each clip is an utterance of its own at least

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the day."""

    kind: Literal["dictation", "open", "idle"]
    seconds: float

    @property
    def share(self) -> float:
        """Of clips in it."""
        return {"dictation": DENSE, "open": SPARSE, "idle": 0.0}[self.kind]


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip in a recording: samples [first, end) of it."""

    clip: int
    first: int
    end: int


def day(hours: float, rng: random.Random) -> Iterator[Stretch]:
    """Yield stretches that make up `hours`: a few dictations, a rest, an open microphone, a rest, and so on."""
    left = hours * 3600
    for stretch in _endless(rng):
        if stretch.seconds >= left:
            yield Stretch(stretch.kind, left)
            return
        left -= stretch.seconds
        yield stretch


def _endless(rng: random.Random) -> Iterator[Stretch]:
    while True:
        for _ in range(rng.randint(3, 8)):
            yield Stretch("dictation", rng.uniform(10, 120))
            yield Stretch("idle", rng.uniform(3, 20))
        yield Stretch("idle", rng.uniform(240, 720))
        yield Stretch("open", rng.uniform(600, 1500))
        yield Stretch("idle", rng.uniform(120, 480))


class Composer:
    """Puts clips into noise.

    Args:
        paths: sound files with speech.
        rng: of every choice.

    Raises:
        AudioFileError: one cannot be read.
    """

    def __init__(self, paths: Sequence[Path], rng: random.Random) -> None:
        self._rng = rng
        self.clips = [_pcm(path) for path in paths]
        noise = np.random.default_rng(rng.getrandbits(64))
        self._noise: Pcm = (noise.standard_normal(_TILE_S * SAMPLE_RATE) * _NOISE).astype(np.int16)

    def keep(self, clips: Sequence[int]) -> None:
        """Use only these clips from now on."""
        self.clips = [self.clips[index] for index in clips]

    def each(self) -> list[Placed]:
        """Return a recording that has each clip once, two seconds apart."""
        placed, at = list[Placed](), 2 * SAMPLE_RATE
        for index, clip in enumerate(self.clips):
            placed.append(Placed(index, at, at + len(clip)))
            at = placed[-1].end + 2 * SAMPLE_RATE
        return placed

    def unbroken(self, seconds: float) -> list[Placed]:
        """Return a recording of clips without a pause, of at least so long: its segments are as long as they come."""
        placed, at = list[Placed](), 0
        while at < seconds * SAMPLE_RATE:
            index = len(placed) % len(self.clips)
            placed.append(Placed(index, at, at + len(self.clips[index])))
            at = placed[-1].end
        return placed

    def place(self, stretch: Stretch) -> list[Placed]:
        """Choose clips and pauses for a recording of this kind; the pauses are exponential but for a shortest one."""
        placed, at, length = list[Placed](), 0, round(stretch.seconds * SAMPLE_RATE)
        while True:
            index = self._rng.randrange(len(self.clips))
            clip = len(self.clips[index])
            pause = self._rng.expovariate(stretch.share / (clip * (1 - stretch.share)))
            first = at + max(_SHORTEST_PAUSE, round(pause))
            if first + clip > length:
                return placed
            placed.append(Placed(index, first, first + clip))
            at = first + clip

    def write(self, path: Path, placed: Sequence[Placed], seconds: float) -> None:
        """Write a recording as 16-bit WAV; `seconds` must hold all that is placed."""
        soundfile.write(path, self.samples(placed, seconds), SAMPLE_RATE, subtype="PCM_16", format="WAV")

    def samples(self, placed: Sequence[Placed], seconds: float) -> Pcm:
        """Return a recording as `write` writes it."""
        samples: Pcm = np.resize(self._noise, round(seconds * SAMPLE_RATE))
        for piece in placed:
            samples[piece.first : piece.end] += self.clips[piece.clip]
        return samples


def _pcm(path: Path) -> Pcm:
    # A little below full scale, so that the noise cannot make it overflow.
    return np.clip(decode_file(path) * 32767, -32000, 32000).astype(np.int16)


def sound_files(audio: Sequence[Path]) -> Iterator[Path]:
    """Yield files as they are and the WAV and FLAC files of folders, by name."""
    for path in audio:
        yield from sorted(file for file in path.iterdir() if file.suffix in _AUDIO) if path.is_dir() else [path]
