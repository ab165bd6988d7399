"""The segmenter, run as the VAD stage runs it: over frames, with gaps, with rewinds after a cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.actors.segmenter import Action, Boundary, Closed, Onset, Pause, Resumed, Segmenter
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import VadConfig

FRAME = 512
SPEECH, SOFT, SILENCE = 0.9, 0.4, 0.05


@dataclass(frozen=True)
class Heard:
    """A frame and what the model makes of it: more or less, depending on how long ago its state was reset."""

    start: int
    samples: int
    settled: float
    fresh: float
    level: float

    @property
    def end(self) -> int:
        """Index after its last sample."""
        return self.start + self.samples


def samples(seconds: float) -> int:
    """Return seconds as samples."""
    return round(seconds * SAMPLE_RATE)


Waits = Callable[[int], tuple[int, float] | None]
"""Of the end of a pause: after how many frames somebody names how many seconds of silence to wait for; None: nobody."""


def listen(
    config: VadConfig, frames: Sequence[Heard], position: int = 0, floor: int = 0, waits: Waits = lambda _: None
) -> list[Action]:
    """Do what `actors.vad` does with the segmenter, from a boundary on, to the end of the recording."""
    segmenter = Segmenter(config)
    segmenter.reset(position, floor)
    asked: tuple[int, Pause, float] | None = None
    actions: list[Action] = []
    age = 0  # frames since the model's state was reset
    at = next((number for number, frame in enumerate(frames) if frame.end > position), len(frames))
    while at < len(frames):
        frame = frames[at]
        if frame.start > segmenter.position:
            actions += segmenter.gap(frame.start)
            age = 0
        probability = frame.fresh if age < 2 else frame.settled
        at, age = at + 1, age + 1
        found = segmenter.push(frame.start, frame.samples, probability, frame.level)
        if asked is not None and at >= asked[0]:
            found += segmenter.wait(asked[1].first, asked[1].end, asked[2])
            asked = None
        for action in found:
            actions.append(action)
            if isinstance(action, Pause) and (answer := waits(action.end)) is not None:
                asked = (at + answer[0], action, answer[1])
            if isinstance(action, Closed | Boundary):
                age = 0
            if isinstance(action, Closed) and action.reason == "length":
                at = next(n for n, earlier in enumerate(frames) if earlier.start == action.position)
    return [*actions, *segmenter.flush()]


def closed(actions: Sequence[Action]) -> list[Closed]:
    """Return the segments among actions."""
    return [action for action in actions if isinstance(action, Closed)]


@st.composite
def configs(draw: st.DrawFn) -> VadConfig:
    """Draw settings from all over their sensible range."""
    pause = draw(st.sampled_from([0.06, 0.16, 0.3]))
    return VadConfig(
        min_speech=draw(st.sampled_from([0.0, 0.1, 0.25])),
        pause=pause,
        endpoint=draw(st.sampled_from([pause, 0.5, 0.8, "fast", "patient"])),
        preroll=draw(st.sampled_from([0.0, 0.3, 0.6])),
        tail=draw(st.sampled_from([0.0, 0.16, 0.4])),
        max_segment=draw(st.sampled_from([5.0, 6.5])),
    )


@st.composite
def recordings(draw: st.DrawFn, *, steady: bool = False) -> list[Heard]:
    """Draw a recording of runs of frames and gaps; with `steady`, the model's state does not matter."""
    probability = st.sampled_from([SPEECH, SPEECH, 0.5, SOFT, 0.35, 0.34, SILENCE, SILENCE])
    # Anything, and what is just about as long as a segment may be, or as silence before a boundary is offered.
    length = st.integers(1, 12) | st.integers(1, 100) | st.integers(140, 160) | st.integers(190, 206)
    length |= st.integers(300, 320)
    runs = draw(st.lists(st.tuples(probability, probability, length, st.integers(0, 4)), max_size=8))
    salt = draw(st.integers(2, 997))
    falling = draw(st.booleans())
    frames: list[Heard] = []
    start = 0
    for settled, fresh, count, gap in runs:
        for number in range(count):
            # A frame is shorter only where the source paused: at the end of a file, before a gap.
            size = 200 if gap == 1 and number == count - 1 else FRAME
            level = 1 / (1 + len(frames)) if falling else (len(frames) * 7919 % salt) / salt
            frames.append(Heard(start, size, settled, settled if steady else fresh, level))
            start += size
        start += 3000 * (gap == 1)
    return frames


def stretches(frames: Sequence[Heard], threshold: float) -> Iterator[list[Heard]]:
    """Yield the longest runs of adjoining frames at or above the threshold."""
    run: list[Heard] = []
    for frame in frames:
        if run and (frame.start > run[-1].end or frame.settled < threshold):
            yield run
            run = []
        if frame.settled >= threshold:
            run.append(frame)
    if run:
        yield run


@st.composite
def answers(draw: st.DrawFn) -> Waits:
    """Draw somebody who names silences, some at once and some late, and has nothing to say of other pauses."""
    salt = draw(st.integers(1, 997))

    def answer(end: int) -> tuple[int, float] | None:
        chance = end * 7919 % salt % 12
        return None if chance > 8 else (chance % 3 * 4, (0.0, 0.26, 1.0)[chance // 3])

    return answer


@settings(max_examples=120, deadline=None)
@given(config=configs(), frames=recordings(), waits=answers())
def test_no_sample_is_in_two_segments_and_order_is_kept(config: VadConfig, frames: list[Heard], waits: Waits) -> None:
    """Segments follow one another without overlap, none is empty, and none reaches past what was heard."""
    segments = closed(listen(config, frames, waits=waits))
    assert all(segment.first < segment.end <= frames[-1].end for segment in segments)
    assert all(segment.first <= segment.speech_end <= segment.end for segment in segments)
    assert all(one.end <= two.first for one, two in pairwise(segments))


@settings(max_examples=120, deadline=None)
@given(config=configs(), frames=recordings(steady=True), waits=answers())
def test_speech_is_in_a_segment(config: VadConfig, frames: list[Heard], waits: Waits) -> None:
    """Whoever speaks for `min_speech` without a break is heard to the last frame, cuts for length or not."""
    segments = closed(listen(config, frames, waits=waits))
    for run in stretches(frames, config.threshold):
        if run[-1].end - run[0].start >= samples(config.min_speech):
            for frame in run:
                covered = [(s.first, s.end) for s in segments if s.first < frame.end and s.end > frame.start]
                assert covered, f"frame at {frame.start} is in no segment of {segments}"
                assert covered[0][0] <= frame.start
                assert covered[-1][1] >= frame.end


@settings(max_examples=120, deadline=None)
@given(config=configs(), frames=recordings())
def test_a_restart_from_any_boundary_finds_the_same(config: VadConfig, frames: list[Heard]) -> None:
    """The journal's keys rest on this: from what is journalled at a boundary, the rest comes out alike."""
    actions = listen(config, frames)
    assert actions == listen(config, frames)
    for number, action in enumerate(actions):
        if isinstance(action, Closed):
            assert listen(config, frames, action.position, action.end) == actions[number + 1 :]
        elif isinstance(action, Boundary):
            assert listen(config, frames, action.position, action.floor) == actions[number + 1 :]


@settings(max_examples=120, deadline=None)
@given(config=configs(), frames=recordings())
def test_nothing_joins_across_a_gap(config: VadConfig, frames: list[Heard]) -> None:
    """Where samples were never captured, one segment ends and another begins."""
    gaps = [(one.end, two.start) for one, two in pairwise(frames) if one.end < two.start]
    for segment in closed(listen(config, frames)):
        assert not [gap for gap in gaps if segment.first < gap[1] and segment.end > gap[0]]


@settings(max_examples=120, deadline=None)
@given(config=configs(), frames=recordings(), waits=answers())
def test_no_segment_is_longer_than_allowed(config: VadConfig, frames: list[Heard], waits: Waits) -> None:
    """`max_segment` is exceeded by one frame at most, pauses and all."""
    for segment in closed(listen(config, frames, waits=waits)):
        assert segment.end - segment.first <= samples(config.max_segment) + FRAME


@settings(max_examples=120, deadline=None)
@given(config=configs(), frames=recordings(), waits=answers())
def test_each_segment_is_told_in_order(config: VadConfig, frames: list[Heard], waits: Waits) -> None:
    """A segment is an onset, pauses that are each taken back or last, and its end; all name the same first sample."""
    first: int | None = None
    pause: int | None = None
    for action in listen(config, frames, waits=waits):
        if isinstance(action, Boundary):
            assert first is None
        elif isinstance(action, Onset):
            assert first is None
            first, pause = action.first, None
        else:
            assert action.first == first
            if isinstance(action, Pause):
                assert pause is None
                pause = action.end
            elif isinstance(action, Resumed):
                assert pause is not None
                pause = None
            else:
                assert pause in (None, action.end), "what was decoded on speculation is not the segment"
                first = None


@settings(max_examples=120, deadline=None)
@given(config=configs(), frames=recordings(), start=st.integers(0, 40_000), room=st.integers(0, 40_000))
def test_no_segment_begins_before_the_floor(config: VadConfig, frames: list[Heard], start: int, room: int) -> None:
    """Pre-roll never reaches into what the segment before, or the recording before, has had."""
    floor = max(0, start - room)
    assert all(segment.first >= floor for segment in closed(listen(config, frames, start, floor)))


# -- examples ----------------------------------------------------------------------------------------------------------

CONFIG = VadConfig(min_speech=0.1, pause=0.16, endpoint=0.512, preroll=0.32, tail=0.16, max_segment=6.0)


def recording(*runs: tuple[float, int]) -> list[Heard]:
    """Return frames of (probability, how many of them); a probability of -1 is a gap."""
    frames: list[Heard] = []
    start = 0
    for probability, length in runs:
        if probability >= 0:
            frames += [Heard(start + n * FRAME, FRAME, probability, probability, probability) for n in range(length)]
        start += length * FRAME
    return frames


@pytest.mark.parametrize(
    "blip",
    [1, 2, 3],
    ids="{} frames".format,
)
def test_a_click_is_not_speech(blip: int) -> None:
    """Sound shorter than `min_speech`, 100 ms or four frames here, begins nothing."""
    assert listen(CONFIG, recording((SILENCE, 20), (SPEECH, blip), (SILENCE, 40))) == []


def test_a_word_has_preroll_and_tail() -> None:
    """A segment begins `preroll` before the first speech frame and ends `tail` after the last."""
    assert listen(CONFIG, recording((SILENCE, 20), (SPEECH, 10), (SILENCE, 40))) == [
        Onset(10 * FRAME),
        Pause(10 * FRAME, 35 * FRAME),
        Closed(10 * FRAME, 35 * FRAME, 20 * FRAME, 30 * FRAME, "silence", 46 * FRAME),
    ]


def test_hesitation_within_the_endpoint_is_one_segment() -> None:
    """Silence longer than `pause` and shorter than `endpoint` is told, and taken back."""
    actions = listen(CONFIG, recording((SPEECH, 10), (SILENCE, 10), (SPEECH, 10), (SILENCE, 40)))
    assert actions == [
        Onset(0),
        Pause(0, 15 * FRAME),
        Resumed(0),
        Pause(0, 35 * FRAME),
        Closed(0, 35 * FRAME, 0, 30 * FRAME, "silence", 46 * FRAME),
    ]


def test_a_silence_that_is_named_in_the_pause() -> None:
    """It closes the segment sooner than the usual one, or later; of a pause that is over nothing is believed."""
    frames = recording((SPEECH, 10), (SILENCE, 20), (SPEECH, 10), (SILENCE, 60))
    for seconds, silence in ((0.0, 6), (0.26, 9), (0.512, 16), (0.576, 18)):
        one, _ = closed(listen(CONFIG, frames, waits=lambda _, seconds=seconds: (0, seconds)))  # type: ignore[misc]
        assert (one.end, one.position) == (15 * FRAME, (10 + silence) * FRAME)
    (joined,) = closed(listen(CONFIG, frames, waits=lambda end: (0, 1.0) if end == 15 * FRAME else None))
    assert joined.speech_end == 40 * FRAME
    assert listen(CONFIG, frames, waits=lambda _: (18, 0.0)) == listen(CONFIG, frames)


def test_soft_speech_goes_on_and_does_not_begin() -> None:
    """Between `release` and `threshold` speech that is on stays on; it does not begin there."""
    assert listen(CONFIG, recording((SOFT, 60))) == []
    (segment,) = closed(listen(CONFIG, recording((SPEECH, 5), (SOFT, 30), (SILENCE, 40))))
    assert segment.speech_end == 35 * FRAME


def test_soft_sound_after_silence_does_not_resume() -> None:
    """Once below `release`, only `threshold` brings speech back."""
    (segment,) = closed(listen(CONFIG, recording((SPEECH, 5), (SILENCE, 1), (SOFT, 60))))
    assert segment.speech_end == 5 * FRAME


def test_the_next_segment_begins_after_the_last() -> None:
    """Where two segments are nearer than tail and pre-roll, the tail has the samples."""
    one, two = closed(listen(CONFIG, recording((SPEECH, 10), (SILENCE, 16), (SPEECH, 10), (SILENCE, 20))))
    assert (one.end, two.first) == (15 * FRAME, 16 * FRAME)
    near = VadConfig(min_speech=0.1, pause=0.16, endpoint=0.16, preroll=0.6, tail=0.16)
    one, two = closed(listen(near, recording((SPEECH, 10), (SILENCE, 6), (SPEECH, 10), (SILENCE, 20))))
    assert one.end == two.first == 15 * FRAME


def test_a_stop_ends_speech_at_once() -> None:
    """The key is released in mid-word: the segment ends with the recording, not half a second later."""
    assert closed(listen(CONFIG, recording((SPEECH, 20)))) == [Closed(0, 20 * FRAME, 0, 20 * FRAME, "stop", 20 * FRAME)]


def test_a_gap_ends_speech_before_it() -> None:
    """The segment keeps what was captured, and the next one has no pre-roll out of the gap."""
    one, two = closed(listen(CONFIG, recording((SPEECH, 10), (-1, 5), (SPEECH, 10), (SILENCE, 40))))
    assert (one.first, one.end, one.reason) == (0, 10 * FRAME, "gap")
    assert (two.first, two.reason) == (15 * FRAME, "silence")


def test_silence_offers_places_to_restart_from() -> None:
    """After ten seconds of silence a restart need not look at them again, and keeps the pre-roll."""
    (boundary,) = listen(CONFIG, recording((SILENCE, 320)))
    assert boundary == Boundary(313 * FRAME, 303 * FRAME)


def test_long_speech_is_cut_at_its_quietest() -> None:
    """Somebody who does not stop is cut between words: in the middle of the quietest 96 ms of the last third."""
    frames = recording((SPEECH, 250))
    frames[150:153] = [Heard(f.start, FRAME, SPEECH, SPEECH, 0.01) for f in frames[150:153]]
    one, two = closed(listen(CONFIG, frames))
    assert (one.reason, one.end, one.position, two.first) == ("length", 151 * FRAME, 151 * FRAME, 151 * FRAME)
    assert two.end == 250 * FRAME


def test_a_cut_leaves_no_rest_too_short_to_be_speech() -> None:
    """The quietest place is two frames before the end of all speech: cut there, those two would count as a click."""
    frames = recording((SPEECH, 188), (SILENCE, 40))
    frames[184:187] = [Heard(f.start, FRAME, SPEECH, SPEECH, 0.01) for f in frames[184:187]]
    one, two = closed(listen(CONFIG, frames))
    assert one.end == two.first <= 184 * FRAME
    assert two.speech_end == 188 * FRAME


def test_a_segment_that_is_full_in_a_pause_ends_in_it() -> None:
    """What the final recogniser has decoded on speculation is what the segment is; there is nothing to cut."""
    actions = listen(CONFIG, recording((SPEECH, 180), (SILENCE, 60)))
    assert actions[1:] == [
        Pause(0, 185 * FRAME),
        Closed(0, 185 * FRAME, 0, 180 * FRAME, "silence", 188 * FRAME),
    ]


def test_settings_out_of_all_proportion_do_no_harm() -> None:
    """Even with a `min_speech` as long as a segment may be, speech is cut and nothing fails."""
    odd = VadConfig(min_speech=5.0, max_segment=5.0)
    segments = closed(listen(odd, recording((SPEECH, 500))))
    assert segments[0].first == 0
    assert all(one.end == two.first for one, two in pairwise(segments))
