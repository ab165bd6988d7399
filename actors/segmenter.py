"""The segmenter: from speech probabilities, a frame at a time, to segments with a beginning and an end.

It is a pure state machine: no clock, no audio, no model. Time is the sample index. The same frames from the same
boundary, with the same silences to wait for, give the same segments. And whatever these silences, the first segment
after a boundary begins at the same sample, on which the journal's keys rest.

    idle --p >= threshold--> candidate --min_speech of it--> speech --silence >= endpoint--> segment, idle
                                 |                             ^   |
                                 +--silence >= pause--> idle   |   +--silence >= pause--> pause (tell; keep listening)
                                                               +------p >= threshold------+

*Hysteresis*: speech begins at `threshold` and is heard to go on while the probability stays at `release` or above; once
below, it must reach `threshold` again. With one threshold a probability that flickers around it cuts words; the scheme
and its two values, 0.15 apart, are those of Silero's own reference iterator (snakers4/silero-vad, `VADIterator`).

*Pre-roll and tail*: a segment begins `preroll` before the first speech frame, since the model needs a frame or two to
be sure and soft onsets ("h", "f") come before that, and ends `tail` after the last. It never begins before the end of
the one before: no sample is in two segments.

*Endpoint*: how long the silence has to be is not decided here but in `actors.endpoint`: `expect` says what it is as a
rule, and `wait` what it is in this pause.

*Length*: when a segment reaches `max_segment`, it is cut in the middle of the quietest 96 ms of its last third, which
in fluent speech falls between words; what follows the cut is listened to again from there. It is never cut so near to
its end that the rest would be too short for speech and be lost. In a pause there is nothing to cut: it ends there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from sottovoce.actors.endpoint import profile
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import VadConfig

_QUIET_FRAMES = 3  # 96 ms: shorter dips are the closures of plosives, inside words
_IDLE_BOUNDARY = 10 * SAMPLE_RATE  # in silence, a point to restart from is offered this often


@dataclass(frozen=True, slots=True)
class Onset:
    """Speech has begun; the segment's first sample, pre-roll included."""

    first: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence that may become the end; the segment would be [first, end)."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """Speech went on after a Pause."""

    first: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A segment, [first, end); listening goes on, state reset, at `position`."""

    first: int
    end: int
    speech_first: int
    speech_end: int
    reason: Literal["silence", "stop", "length", "gap"]
    position: int
    turn: float | None = field(default=None, compare=False)
    """The probability, by the voice, that the speaker was finished; None where nobody has judged."""
    speech: int = field(default=0, compare=False)
    """Samples of it that were taken for speech."""
    sure: float = field(default=0.0, compare=False)
    """Mean probability of speech over these."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Nothing is being said: a restart may begin, state reset, at `position`."""

    position: int
    floor: int


Action = Onset | Pause | Resumed | Closed | Boundary


class Segmenter:
    """See the head of this file.

    Args:
        config: thresholds and durations.
    """

    def __init__(self, config: VadConfig) -> None:
        def samples(seconds: float) -> int:
            return round(seconds * SAMPLE_RATE)

        self._threshold, self._release = config.threshold, config.release
        self._min_speech = samples(config.min_speech)
        self._preroll, self._tail = samples(config.preroll), samples(config.tail)
        # A pause promises audio up to its end, so it cannot come before the tail has been heard.
        self._pause = max(samples(config.pause), self._tail)
        self._usual = self._endpoint = 0
        self.expect(profile(config).unread)
        self._max = samples(config.max_segment)
        self.reset(0, 0)

    def reset(self, position: int, floor: int) -> None:
        """Begin at sample `position`; no segment may begin before `floor`."""
        self.position, self._floor, self._since = position, floor, position
        self._first: int | None = None
        self._confirmed = self._voiced = self._paused = False
        self._speech_first = self._speech_end = self._heard = 0
        self._sure = 0.0  # probability times samples, over what was taken for speech
        self._endpoint = self._usual
        self._levels: deque[tuple[int, int, float, bool]] = deque()

    def push(self, start: int, samples: int, probability: float, level: float) -> list[Action]:
        """Take in a frame.

        Args:
            start: index of its first sample, which is `position`; where samples are missing, call `gap` before.
            samples: how many it has.
            probability: of speech, 0 to 1.
            level: its root mean square; used only to find a quiet place to cut.

        Returns:
            What follows, in order. After a Closed or Boundary the caller resets the model's state, and after a Closed
            goes on at its `position`, which lies before this frame if the segment was cut for its length.
        """
        self.position = start + samples
        if self._first is None:
            return self._listen(start, samples, probability)
        actions: list[Action] = []
        voiced = probability >= (self._release if self._voiced else self._threshold)
        if self._confirmed:
            self._remember(start, level, voiced)
        if voiced:
            self._heard += samples
            self._sure += probability * samples
            self._speech_end = self.position
            if self._paused:
                self._paused, self._endpoint = False, self._usual
                actions.append(Resumed(self._first))
        self._voiced = voiced
        return actions + self._judge(self._first)

    def expect(self, seconds: float) -> None:
        """From the next pause on, close a segment after this silence, if `wait` names no other."""
        self._usual = max(round(seconds * SAMPLE_RATE), self._pause)

    def wait(self, first: int, end: int, seconds: float) -> list[Action]:
        """In the pause that was told as `Pause(first, end)`, close the segment after this silence, maybe now.

        If speech has gone on since, or the segment is closed, nothing happens.
        """
        if not self._paused or self._first != first or self._speech_end + self._tail != end:
            return []
        self._endpoint = max(round(seconds * SAMPLE_RATE), self._pause)
        return self._judge(first)

    def flush(self) -> list[Closed]:
        """End what is open: no more frames will come."""
        return self._end_open("stop")

    def gap(self, start: int) -> list[Closed]:
        """Samples up to `start` were never captured: end what is open, since nothing joins across them."""
        closed = self._end_open("gap")
        self.reset(start, start)
        return closed

    def _end_open(self, reason: Literal["stop", "gap"]) -> list[Closed]:
        if self._first is None or not self._confirmed:
            self._first = None
            return []
        return [self._close(self._first, reason)]

    def _listen(self, start: int, samples: int, probability: float) -> list[Action]:
        if probability >= self._threshold:
            self._first = max(self._floor, start - self._preroll)
            self._voiced, self._speech_first, self._speech_end, self._heard = True, start, self.position, samples
            self._sure = probability * samples
            return self._judge(self._first)
        if self.position - self._since >= _IDLE_BOUNDARY:
            floor = max(self._floor, self.position - self._preroll)
            self.reset(self.position, floor)
            return [Boundary(self.position, floor)]
        return []

    def _judge(self, first: int) -> list[Action]:
        silence = self.position - self._speech_end
        if not self._confirmed:
            if self._heard >= self._min_speech:
                self._confirmed = True
                return [Onset(first)]
            if silence >= self._pause:
                self._first = None
            return []
        too_long = self.position - first >= self._max
        if silence >= self._endpoint or (self._paused and too_long):
            return [self._close(first, "silence")]
        if silence >= self._pause and not self._paused:
            self._paused = True
            return [Pause(first, self._speech_end + self._tail)]
        return [self._cut(first)] if too_long else []

    def _remember(self, start: int, level: float, voiced: bool) -> None:
        self._levels.append((start, self.position, level, voiced))
        while self._levels[0][0] < self.position - self._max // 3:
            self._levels.popleft()

    def _close(self, first: int, reason: Literal["silence", "stop", "length", "gap"]) -> Closed:
        end = min(self._speech_end + self._tail, self.position)
        speech_first, speech_end, position = self._speech_first, self._speech_end, self.position
        speech, sure = self._heard, self._sure / self._heard
        self.reset(position, end)
        return Closed(first, end, speech_first, speech_end, reason, position, speech=speech, sure=sure)

    def _cut(self, first: int) -> Closed:
        at, quietest, after, left = self.position, float("inf"), 0, 0
        frames = list(self._levels)
        for i in range(len(frames) - 1, _QUIET_FRAMES // 2 - 1, -1):
            start, end, _, voiced = frames[i]
            after += (end - start) * voiced
            window = frames[i - _QUIET_FRAMES // 2 : i + _QUIET_FRAMES // 2 + 1]
            level = sum(level for _, _, level, _ in window)
            if len(window) == _QUIET_FRAMES and after >= self._min_speech and level <= quietest:
                at, quietest, left = start, level, after
        speech_first, speech_end = self._speech_first, min(self._speech_end, at)
        speech, sure = self._heard - left, self._sure / self._heard
        self.reset(at, at)
        return Closed(first, at, speech_first, speech_end, "length", at, speech=speech, sure=sure)
