"""The journal against a model of a few lines of Python, driven at random through several connections.

The model is what a person expects: a list of utterances in spoken order, each with a state, and a screen. An injector
is played here as well, with its crashes between the keystrokes and the commit, since "typed at most once" is a promise
of the two together.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.exceptions import JournalError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.rows import UNFINISHED

CONNECTIONS = 3
STEPS = {
    "transcribed": ({"segmented"}, "transcribed"),
    "suppressed": ({"segmented", "transcribed"}, "suppressed"),
    "transformed": ({"transcribed"}, "transformed"),
    "late": ({"transformed"}, "late"),
}
which = st.integers(0, CONNECTIONS - 1)


@dataclass
class Said:
    """What the model knows of an utterance."""

    generation: int
    ordinal: int
    state: str = "segmented"
    heard: str | None = None
    text: str | None = None
    again: bool = False
    """Whether it is the text of another, put up once more; its key is then its ordinal, in stream 0."""


@dataclass
class Wanted:
    """What the model knows of a recording."""

    wanted: bool = True
    cancelled: bool = False
    stream: int | None = None
    position: int | None = None
    ended: bool = False
    drained: bool = False
    closed: bool = False


class JournalMachine(RuleBasedStateMachine):
    """See the head of this file."""

    recordings = Bundle("recordings")
    firsts = Bundle("firsts")

    @initialize(keep=st.sampled_from(["30d", "none"]))
    def begin(self, keep: str) -> None:
        """Open all connections."""
        self.keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix="sv-", dir="/dev/shm"))
        self.path = self.folder / "journal.db"
        self.journals = [Journal(self.path, keep=keep) for _ in range(CONNECTIONS)]
        self.said: dict[int, Said] = {}  # by first sample, in the order of entering; below 0, those retyped, by ordinal
        self.attempts = (0, 0)
        self.wanted: dict[int, Wanted] = {}
        self.screen: list[int] = []
        self.forgotten = 0

    def teardown(self) -> None:
        """Close and remove."""
        for journal in self.journals:
            journal.close()
        shutil.rmtree(self.folder)

    # -- recordings ----------------------------------------------------------------------------------------------------

    @rule(target=recordings, via=which)
    def begin_recording(self, via: int) -> int:
        """Want one."""
        generation = self.journals[via].begin_recording("{}")
        assert generation not in self.wanted
        self.wanted[generation] = Wanted()
        return generation

    def _recording(self, generation: int) -> Wanted:
        """Return what the model knows; of one that was forgotten, that there is nothing left to be done with it."""
        return self.wanted.get(generation, Wanted(wanted=False, ended=True, drained=True, closed=True))

    @rule(via=which, generation=recordings, cancel=st.booleans())
    def stop(self, via: int, generation: int, cancel: bool) -> None:
        """Want it no longer."""
        recording = self._recording(generation)
        assert self.journals[via].stop_recording(generation, cancel=cancel) is recording.wanted
        recording.wanted = False
        if cancel:
            recording.cancelled = True
            for said in self.said.values():
                if said.generation == generation and said.state in ("segmented", "transcribed", "transformed"):
                    said.state = "suppressed"
                    self._erase(said)

    @rule(via=which, generation=recordings, stream=st.integers(1, 2), stale=st.booleans())
    def capture(self, via: int, generation: int, stream: int, stale: bool) -> None:
        """Begin to capture, or go on in the same ring or another, knowing where the VAD is or was."""
        recording = self._recording(generation)
        position = -1 if stale else recording.position
        allowed = recording.wanted and not recording.ended and not recording.closed and not stale
        assert self.journals[via].capture_began(generation, stream=stream, first=0, position=position) is allowed
        if allowed:
            recording.stream, recording.position = stream, None

    @rule(via=which, generation=recordings, stream=st.integers(1, 2), position=st.integers(0, 40))
    def move(self, via: int, generation: int, stream: int, position: int) -> None:
        """The VAD is at a boundary in the ring of the recording, or in one that it has left."""
        recording = self._recording(generation)
        moved = recording.stream == stream
        assert self.journals[via].vad_moved(generation, stream=stream, position=position, floor=0) is moved
        if moved:
            recording.position = position

    @rule(via=which, generation=recordings)
    def capture_ends(self, via: int, generation: int) -> None:
        """End of samples."""
        recording = self._recording(generation)
        assert self.journals[via].capture_ended(generation, end=10**9, reason="eof") is not recording.ended
        recording.ended = True

    @rule(via=which, generation=recordings)
    def drain(self, via: int, generation: int) -> None:
        """The VAD is through."""
        recording = self._recording(generation)
        assert self.journals[via].vad_drained(generation) is not recording.drained
        recording.drained = True

    @rule(via=which, generation=recordings)
    def close(self, via: int, generation: int) -> None:
        """Close, if it is over."""
        recording = self._recording(generation)
        under_way = any(s.generation == generation and s.state in UNFINISHED for s in self.said.values())
        over = (recording.stream is None and not recording.wanted) or (
            recording.ended and recording.drained and not under_way
        )
        assert self.journals[via].close_recording(generation) is (over and not recording.closed)
        recording.closed |= over

    # -- utterances ----------------------------------------------------------------------------------------------------

    @rule(target=firsts, via=which, generation=recordings, first=st.integers(0, 20) | st.integers(100, 120))
    def segment(self, via: int, generation: int, first: int) -> Any:
        """Enter an utterance, or one that is known, or one of a ring that the recording has left."""
        recording = self._recording(generation)
        here = recording.stream in (None, 1 + first // 100)
        new = here and first not in self.said
        assert self._enter(via, generation, first) is new
        if here and recording.stream is not None:
            recording.position = first + 1
        if not new:
            return multiple()
        ordinal = self.journals[via].utterances(limit=1)[0].ordinal
        self._is_new(ordinal)
        state = "suppressed" if recording.cancelled else "segmented"
        self.said[first] = Said(generation, ordinal, state)
        return first

    def _is_new(self, ordinal: int) -> None:
        assert ordinal > max([self.forgotten, *(said.ordinal for said in self.said.values())])

    def _enter(self, via: int, generation: int, first: int) -> bool:
        return self.journals[via].segmented(
            generation=generation, stream=1 + first // 100, first=first, end=first + 1, speech_end=first + 1,
            spoken_ns=now_ns(), position=first + 1, wall_ns=first,
        )  # fmt: skip

    @rule(via=which, first=firsts, step=st.sampled_from(sorted(STEPS)))
    def step(self, via: int, first: int, step: str) -> None:
        """Try a stage's transition, in season or out."""
        if first not in self.said:
            return
        said, journal = self.said[first], self.journals[via]
        arguments: dict[str, dict[str, str]] = {
            "transcribed": {"text": f"heard {first}", "model": "tiny"},
            "suppressed": {"reason": "noise"},
            "transformed": {"text": f"text {first}", "context": str(first)},
            "late": {"reason": "late"},
        }
        expected, state = STEPS[step]
        moved = getattr(journal, step)(said.ordinal, **arguments[step])
        assert moved is (said.state in expected)
        if not moved:
            return
        said.state = state
        if step == "transcribed":
            said.heard = f"heard {first}"
        elif step == "transformed":
            said.text = f"text {first}"
            assert journal.context()[0] == str(first)
        elif step == "suppressed":
            self._erase(said)

    @rule(via=which, end=st.sampled_from(["typed", "proof", "doubt", "killed before", "killed after"]))
    def inject(self, via: int, end: str) -> None:
        """Play the injector: type the oldest if it is ready, with every way in which that may end."""
        journal = self.journals[via]
        row = journal.oldest(*UNFINISHED)
        if row is None or row.state != "transformed":
            return
        said = self.said[row.first if row.stream else -row.ordinal]
        assert said.ordinal == row.ordinal
        assert journal.intent(row.ordinal, backend="file")
        assert not journal.intent(row.ordinal, backend="file")
        said.state = "intent"
        if end in ("typed", "killed after"):
            self.screen.append(row.ordinal)
        if end == "typed":
            assert journal.typed(row.ordinal, backend="file")
            said.state = "typed"
            self._erase(said)
        elif end == "proof":
            assert journal.nothing_typed(row.ordinal, reason="proof")
            said.state = "transformed"
        elif end == "doubt":
            assert journal.in_doubt(row.ordinal, reason="time-out")
            said.state = "in_doubt"
        else:
            self._restart(via)
            while (left := self.journals[via].oldest("intent")) is not None:
                assert self.journals[via].in_doubt(left.ordinal, reason="died")
                self.said[left.first if left.stream else -left.ordinal].state = "in_doubt"

    @rule(via=which, data=st.data())
    def retype(self, via: int, data: st.DataObject) -> None:
        """Put a text up once more: the last in order, if it has ended; else nothing changes."""
        if not self.said:
            return
        old = data.draw(st.sampled_from(list(self.said.values())))
        text = f"again {old.ordinal}"
        if old.state in UNFINISHED:
            with pytest.raises(JournalError, match="still on its way"):
                self.journals[via].retyped(old.ordinal, text=text, wall_ns=0)
            return
        ordinal = self.journals[via].retyped(old.ordinal, text=text, wall_ns=10**6)
        self._is_new(ordinal)
        self.said[-ordinal] = Said(0, ordinal, "transformed", text=text, again=True)

    @rule(via=which, data=st.data())
    def delete(self, via: int, data: st.DataObject) -> None:
        """Delete some: those that have ended go, whoever of them is asked for; the others stay."""
        some = data.draw(st.lists(st.sampled_from(sorted(self.said)), unique=True)) if self.said else []
        gone = [first for first in some if self.said[first].state not in UNFINISHED]
        asked = [self.said[first].ordinal for first in some]
        assert self.journals[via].delete([*asked, 10**9]) == len(gone)
        self._forget(gone)

    @rule(via=which, data=st.data())
    def attempt(self, via: int, data: st.DataObject) -> None:
        """Decodes of one utterance in a row are counted, through whatever connection."""
        if not self.said:
            return
        ordinal = data.draw(st.sampled_from([said.ordinal for said in self.said.values()]))
        last, count = self.attempts
        self.attempts = (ordinal, count + 1 if last == ordinal else 1)
        assert self.journals[via].attempted(ordinal) == self.attempts[1]

    def _erase(self, said: Said) -> None:
        if self.keep == "none":
            said.heard = said.text = None

    # -- time and death ------------------------------------------------------------------------------------------------

    @rule(via=which)
    def reopen(self, via: int) -> None:
        """A process ends and another takes its place."""
        self._restart(via)

    def _restart(self, via: int) -> None:
        self.journals[via].close()
        self.journals[via] = Journal(self.path, keep=self.keep)

    @rule()
    def restart_all(self) -> None:
        """The service ends and starts."""
        for journal in self.journals:
            journal.close()
        self.journals = [Journal(self.path, keep=self.keep) for _ in range(CONNECTIONS)]

    @rule(via=which, before=consumes(firsts))
    def forget(self, via: int, before: int) -> None:
        """Delete what is finished and older, and closed recordings of which nothing is left, but for the newest."""
        gone = [first for first, s in self.said.items() if first < before and s.state not in UNFINISHED and not s.again]
        assert self.journals[via].forget(before_wall_ns=before) == len(gone)
        self._forget(gone)

    def _forget(self, gone: list[int]) -> None:
        for first in gone:
            self.forgotten = max(self.forgotten, self.said.pop(first).ordinal)
        used = {said.generation for said in self.said.values()}
        newest = max(self.wanted, default=0)
        for generation in [g for g, r in self.wanted.items() if r.closed and g < newest and g not in used]:
            del self.wanted[generation]

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def journal_is_the_model(self) -> None:
        """Every connection sees the same utterances, in the order of entering, in the model's state."""
        expected = [(s.ordinal, abs(first), s.state, s.heard, s.text) for first, s in self.said.items()]
        for journal in self.journals:
            rows = [(row.ordinal, row.first, row.state, row.heard, row.text) for row in journal.utterances()]
            assert rows == expected
        waiting = [s.ordinal for s in self.said.values() if s.state in UNFINISHED]
        oldest = self.journals[0].oldest(*UNFINISHED)
        assert (None if oldest is None else oldest.ordinal) == (waiting[0] if waiting else None)
        assert self.journals[0].unfinished() == len(waiting)

    @invariant()
    def wishes_are_the_model(self) -> None:
        """A recording is wanted until it was stopped, ended or closed, and open until it was closed."""
        kept = [generation for generation in self.wanted if self.journals[-1].recording(generation) is not None]
        assert kept == list(self.wanted)
        open_now = {recording.generation: recording.wanted for recording in self.journals[-1].open_recordings()}
        assert open_now == {
            generation: r.wanted and not r.ended for generation, r in self.wanted.items() if not r.closed
        }

    @invariant()
    def typed_at_most_once_in_order(self) -> None:
        """The screen shows no utterance twice and none before an earlier one."""
        assert self.screen == sorted(set(self.screen))


JournalMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestJournal = JournalMachine.TestCase
