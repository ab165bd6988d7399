"""The delivery promise, checked in every state that journal, stages and window can be in together.

The problem: "typed once, in order, never lost" must hold for a kill between any two steps of any process, with every
message lost or doubled. A test that kills at random visits a few thousand of these moments; here all are visited, in
the manner of Spin (Holzmann, "The model checker SPIN", IEEE TSE 1997): a state is a tuple, a breadth-first search
follows every step that may come next, and what it finds first is a shortest counterexample.

What is real and what is a model. The journal's transitions are not written here: `Transitions` tries every method of
the real Journal on an utterance in every state, and the model uses what it finds, so a guard that is lost in
journal.py is lost here, too. The stages are modelled by hand, one line for each atomic step (read a row, work, commit,
publish), and a test compares the order of these steps with the source. Time is one number, how many utterances have
become too old to type; a message is a wake-up in a mailbox, as no stage looks at what one says before it types.

What else a person may do meanwhile, cancel, have typed again, delete, is a step of the world; so is an utterance that
kills the recogniser whenever it is decoded. Each is let loose in tests of its own, or there were too many states.

Never lost is checked as: from every state, the end of all utterances can be reached by steps of the stages alone,
with no further kill, loss, mishap or change of mind. In a finite system with fair processes that is the same as being
reached.

Refused: Spin itself, as a second description of the journal, in another language, would go out of date unseen.
"""

from __future__ import annotations

import ast
import gc
import inspect
import itertools
import textwrap
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from sottovoce.actors.final import _ATTEMPTS as ATTEMPTS
from sottovoce.actors.final import FinalRecogniser
from sottovoce.actors.inject.stage import Inject
from sottovoce.actors.transform.stage import Transform
from sottovoce.actors.vad import Vad
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.exceptions import JournalError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.rows import UNFINISHED

ABSENT: Final = "absent"
"""State of an utterance that the VAD has not found yet."""
GONE: Final = "gone"
"""State of an utterance that was deleted."""
AGAIN: Final = 10
"""What is added to an utterance's key when its text is put up to be typed again, as a row of its own."""
METHODS: Final = tuple(
    name for name, value in vars(Journal).items()
    if inspect.isfunction(value)
    and list(inspect.signature(value).parameters)[1:2] == ["ordinal"]
    and inspect.signature(value).return_annotation == "bool"
)  # fmt: skip
"""Every method of the journal that moves one utterance, found by its signature."""


# -- the journal: what the real one does -------------------------------------------------------------------------------


class Bench:
    """A real journal, in which utterances are made and moved."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path)
        self._count = 0

    def segment(self, first: int, generation: int) -> bool:
        """Enter utterance `first`."""
        return self.journal.segmented(
            generation=generation, stream=1, first=first, end=first + 1, speech_end=first + 1, position=first + 1,
            spoken_ns=now_ns(), wall_ns=0,
        )  # fmt: skip

    def apply(self, method: str, first: int, generation: int) -> bool:
        """Call `method` on utterance `first`; "segmented" and "cancel" are not of one row."""
        if method == "segmented":
            return self.segment(first, generation)
        if method == "cancel":
            return self.journal.stop_recording(generation, cancel=True)
        ordinal = next((row.ordinal for row in self.journal.utterances() if row.first == first and row.stream), -1)
        wanted = inspect.signature(getattr(self.journal, method)).parameters.values()
        texts = {p.name: "x" for p in wanted if p.name != "ordinal" and p.default is inspect.Parameter.empty}
        return bool(getattr(self.journal, method)(ordinal, **texts))

    def retype(self, first: int) -> bool:
        """Put utterance `first` up once more; False if it is refused."""
        row = next(row for row in self.journal.utterances() if row.first == first and row.stream)
        try:
            new = self.journal.retyped(row.ordinal, text="x", wall_ns=0)
        except JournalError:
            return False
        assert self.journal.utterance(new).state == "transformed"
        assert self.journal.utterances(limit=1)[0].ordinal == new
        return True

    def delete(self, first: int) -> bool:
        """Delete utterance `first`; False if it stays."""
        row = next(row for row in self.journal.utterances() if row.first == first and row.stream)
        deleted = self.journal.delete([row.ordinal]) == 1
        assert (self.state(first) == ABSENT) is deleted
        return deleted

    def state(self, first: int) -> str:
        """Return the utterance's state."""
        return next((row.state for row in self.journal.utterances() if row.first == first and row.stream), ABSENT)

    def build(self, *path: str) -> tuple[int, int]:
        """Make an utterance and lead it along methods; return its first sample and its recording."""
        self._count += 1
        generation = self.journal.begin_recording("{}")
        for method in path:
            self.apply(method, self._count, generation)
        return self._count, generation


@dataclass(frozen=True)
class Transitions:
    """What each method of the journal does to an utterance in each state: the state after it, and what it says."""

    after: dict[tuple[str, str], tuple[str, bool]]
    paths: dict[str, tuple[str, ...]]
    """A way into each state, as methods."""
    retyped: frozenset[str] = frozenset()
    """States in which an utterance may be put up once more."""
    deleted: frozenset[str] = frozenset()
    """States in which it may be deleted."""

    @classmethod
    def of(cls, bench: Bench) -> Transitions:
        """Try everything in the real journal."""
        after: dict[tuple[str, str], tuple[str, bool]] = {}
        paths: dict[str, tuple[str, ...]] = {ABSENT: ()}
        waiting = deque([ABSENT])
        while waiting:
            state = waiting.popleft()
            for method in ("segmented", "cancel", *METHODS):
                first, generation = bench.build(*paths[state])
                assert bench.state(first) == state
                said = bench.apply(method, first, generation)
                found = bench.state(first)
                after[method, state] = (found, said)
                if found not in paths:
                    paths[found] = (*paths[state], method)
                    waiting.append(found)
        first, generation = bench.build("cancel")
        said = bench.apply("segmented", first, generation)
        after["segmented, cancelled", ABSENT] = (bench.state(first), said)
        there = [state for state in paths if state != ABSENT]
        retyped = frozenset(state for state in there if bench.retype(bench.build(*paths[state])[0]))
        deleted = frozenset(state for state in there if bench.delete(bench.build(*paths[state])[0]))
        return cls(after, paths, retyped, deleted)

    def unguarded(self) -> Transitions:
        """Return a journal whose methods do not ask for the state they expect."""
        to = {method: state for (method, before), (state, said) in self.after.items() if said and state != before}
        after = {
            (method, state): (to[method], True) if method in METHODS and state != ABSENT else found
            for (method, state), found in self.after.items()
        }
        return replace(self, after=after, retyped=frozenset(self.paths), deleted=frozenset(self.paths))


@pytest.fixture(scope="module")
def transitions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transitions]:
    """The transitions of the real journal."""
    bench = Bench(tmp_path_factory.mktemp("journal") / "journal.db")
    yield Transitions.of(bench)
    bench.journal.close()


# -- the model ---------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """An utterance in the journal."""

    key: int
    state: str


Step = tuple[str, int]
"""Where a process is: the step it does next, and the place in `rows` (for the VAD: the utterance) it does it to."""
SETUP: Final[Step] = ("setup", 0)
IDLE: Final[Step] = ("idle", 0)
READ: Final[Step] = ("read", 0)


class State(NamedTuple):
    """Everything that exists at one instant."""

    rows: tuple[Row, ...] = ()
    position: int = 0
    """The utterance that the VAD looks for next, as the journal has it."""
    screen: tuple[tuple[str, int], ...] = ()
    """What the window has seen: ("began" or "all", key)."""
    old: int = 0
    """How many utterances were spoken longer than `deliver_within` ago."""
    cancelled: bool = False
    vad: Step = ("look", 0)
    stt: Step = READ
    transform: Step = READ
    inject: Step = SETUP
    mail: tuple[int, int, int] = (0, 0, 0)
    """Whether a message is on its way to stt, transform, inject."""
    attempt: tuple[int, int] = (-1, 0)
    """The place that was attempted last, and how often in a row."""
    orphan: int = -1
    """Used by one mutant: what a tool goes on typing after the injector has died."""


STAGES: Final = ("stt", "transform", "inject")
STT, TRANSFORM, INJECT = range(3)
Move = tuple[str, bool, State]
"""What happens; whether it is a stage's step and no mishap; the state after it."""
MISHAPS: Final = frozenset({
    "reads, finds none", "reads, makes nothing", "proves that nothing can be typed", "times out",
    "types the rest, and times out",
})  # fmt: skip
"""Steps that a stage may do and need not: nothing may depend on them for its end."""


@dataclass(frozen=True)
class Service:
    """The stages as they are. Mutants override a step."""

    journal: Transitions
    utterances: int
    messages: bool
    """Whether any message arrives at all."""
    cancels: bool = True
    ages: bool = True
    """Whether an utterance may become too old to type."""
    retypes: bool = False
    """Whether the person has an utterance typed again, once."""
    deletes: bool = False
    """Whether the person deletes utterances."""
    poison: int = -1
    """The utterance that kills the recogniser; -1 for none, and then attempts are not counted."""
    finished: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "finished", frozenset(self.journal.paths) - {ABSENT, *UNFINISHED})

    def moves(self, state: State) -> Iterator[Move]:
        """Yield all that may happen next."""
        yield from self.world(state)
        for stage in (self.vad, self.stt, self.transform, self.inject):
            for what, after in stage(state):
                yield f"{stage.__name__}: {what}", what not in MISHAPS, after

    def world(self, state: State) -> Iterator[Move]:
        """Kills, lost messages, time, and a person who changes their mind."""
        yield from self.kills(state)
        for to, count in enumerate(state.mail):
            if count:
                yield f"the message to {STAGES[to]} is lost", False, state._replace(mail=_mail(state.mail, to, 0))
        if self.ages and state.old < state.position:
            yield "time passes", False, state._replace(old=state.old + 1)
        if self.cancels and not state.cancelled:
            rows = tuple(row if row.key >= AGAIN else self.cancelled(row) for row in state.rows)
            yield "the recording is cancelled", False, state._replace(rows=rows, cancelled=True)
        if self.retypes and not any(row.key >= AGAIN for row in state.rows):
            for row in state.rows:
                if row.state in self.journal.retyped:
                    rows = (*state.rows, Row(row.key + AGAIN, "transformed"))
                    yield f"{row.key} is to be typed again", False, state._replace(rows=rows)
        if self.deletes:
            for at, row in enumerate(state.rows):
                if row.state in self.journal.deleted:
                    rows = (*state.rows[:at], Row(row.key, GONE), *state.rows[at + 1 :])
                    yield f"{row.key} is deleted", False, state._replace(rows=rows)

    def cancelled(self, row: Row) -> Row:
        """Return what becomes of an utterance when its recording is cancelled."""
        return row if row.state == GONE else Row(row.key, self.journal.after["cancel", row.state][0])

    def kills(self, state: State) -> Iterator[Move]:
        """A process is killed, and another takes its place: what it had in its memory is gone.

        How long that takes needs no step of its own: any number of other steps may come before its first. Who has
        nothing in its memory is not killed, as that changes nothing.
        """
        if state.vad != (look := ("look", state.position)):
            yield "vad is killed", False, state._replace(vad=look)
        if state.stt != READ:
            yield "stt is killed", False, state._replace(stt=READ)
        if state.transform != READ:
            yield "transform is killed", False, state._replace(transform=READ)
        if state.inject != SETUP:
            yield "inject is killed", False, state._replace(inject=SETUP)

    # -- what stages share ---------------------------------------------------------------------------------------------

    def commit(self, state: State, method: str, at: int) -> tuple[State, bool]:
        """Do a transition of the journal; the state after it, and what the journal says."""
        row = state.rows[at]
        if row.state == GONE:
            return state, False
        found, said = self.journal.after[method, row.state]
        return state._replace(rows=(*state.rows[:at], Row(row.key, found), *state.rows[at + 1 :])), said

    def oldest(self, state: State, *states: str) -> int | None:
        """Return the place of the first utterance in one of `states`."""
        return next((at for at, row in enumerate(state.rows) if row.state in states), None)

    def publish(self, state: State, *to: int) -> State:
        """Put a message into mailboxes, as far as there are any; what is full loses it."""
        mail = state.mail
        for n in to if self.messages else ():
            mail = _mail(mail, n, 1)
        return state._replace(mail=mail)

    def wake(self, state: State, me: int) -> Iterator[tuple[str, State]]:
        """A turn begins: with a message, of which another copy may still come, or by the clock."""
        if state.mail[me]:
            yield "hears", state._replace(mail=_mail(state.mail, me, 0))
            yield "hears, and will hear again", state  # to tick comes to the same
        else:
            yield "ticks", state

    # -- the stages ----------------------------------------------------------------------------------------------------

    def vad(self, state: State) -> Iterator[tuple[str, State]]:
        """vad.py: `_close`, of the next utterance in the ring."""
        step, key = state.vad
        if step == "publish":
            yield f"publishes {key}", self.publish(state, STT)._replace(vad=("look", key + 1))
        elif key < self.utterances:
            yield from self.vad_commit(state, key)

    def vad_commit(self, state: State, key: int) -> Iterator[tuple[str, State]]:
        """The row and the position, in one commit."""
        after, new = self.enter(state, key)
        after = after._replace(position=key + 1, vad=("publish", key) if new else ("look", key + 1))
        yield f"commits {key}", after

    def enter(self, state: State, key: int) -> tuple[State, bool]:
        """`Journal.segmented`, but for the position."""
        known = next((at for at, row in enumerate(state.rows) if row.key == key and row.state != GONE), None)
        if known is not None:
            return self.commit(state, "segmented", known)
        found, said = self.journal.after["segmented, cancelled" if state.cancelled else "segmented", ABSENT]
        return state._replace(rows=(*state.rows, Row(key, found))), said

    def stt(self, state: State) -> Iterator[tuple[str, State]]:
        """stt.py: `FinalRecogniser.work`, `_finish`."""
        step, at = state.stt
        if step == "idle":
            for how, after in self.wake(state, STT):
                yield how, after._replace(stt=READ)
        elif step == "read":
            found = self.oldest(state, "segmented")
            if found is None:
                yield "has nothing to do", state._replace(stt=IDLE)
            elif self.poison >= 0:
                yield "reads", state._replace(stt=("attempt", found))
            else:
                yield from self.stt_decode(state, found)
        elif step == "attempt":
            after, count = self.stt_attempt(state, at)
            if count > ATTEMPTS:
                yield "has tried often enough", after._replace(stt=("suppressed", at))
            else:
                yield f"notes attempt {count}", after._replace(stt=("decode", at))
        elif step == "decode":
            yield from self.stt_decode(state, at)
        elif step == "publish":
            yield "publishes", self.publish(state, TRANSFORM, INJECT)._replace(stt=READ)
        else:
            after, moved = self.commit(state, step, at)
            yield f"commits {step}", after._replace(stt=("publish", 0) if moved else READ)

    def stt_attempt(self, state: State, at: int) -> tuple[State, int]:
        """`Journal.attempted`; what it returns is no more than it takes to give up."""
        count = min(state.attempt[1] + 1, ATTEMPTS + 1) if state.attempt[0] == at else 1
        return state._replace(attempt=(at, count)), count

    def stt_decode(self, state: State, at: int) -> Iterator[tuple[str, State]]:
        """What comes of it is in memory alone."""
        if state.rows[at].key == self.poison:
            yield "dies of it", state._replace(stt=READ)
        else:
            yield "reads, finds words", state._replace(stt=("transcribed", at))
            yield "reads, finds none", state._replace(stt=("suppressed", at))

    def transform(self, state: State) -> Iterator[tuple[str, State]]:
        """transform/stage.py: `work`, `_transform`."""
        step, at = state.transform
        if step == "idle":
            for how, after in self.wake(state, TRANSFORM):
                yield how, after._replace(transform=READ)
        elif step == "read":
            found = self.oldest(state, "segmented", "transcribed")
            if found is None or state.rows[found].state != "transcribed":
                yield "has nothing to do", state._replace(transform=IDLE)
            else:
                yield "reads, makes text", state._replace(transform=("transformed", found))
                yield "reads, makes nothing", state._replace(transform=("suppressed", found))
        elif step == "publish":
            yield "publishes", self.publish(state, INJECT)._replace(transform=READ)
        else:
            after, moved = self.commit(state, step, at)
            yield f"commits {step}", after._replace(transform=("publish", 0) if moved else READ)

    def inject(self, state: State) -> Iterator[tuple[str, State]]:
        """inject/stage.py: `setup`, `work`, `_deliver`."""
        step, at = state.inject
        if step == "setup":
            yield "looks for what was left", state._replace(inject=self.inject_setup(state))
        elif step == "idle":
            for how, after in self.wake(state, INJECT):
                yield how, after._replace(inject=READ)
        elif step == "read":
            yield "reads", state._replace(inject=self.inject_next(state))
        elif step == "type":
            yield "proves that nothing can be typed", state._replace(inject=("nothing_typed", at))
            yield "times out", state._replace(inject=("in_doubt", at))
            yield "types the first letter", self.key(state, "began", at)._replace(inject=("rest", at))
        elif step == "rest":
            yield "times out", state._replace(inject=("in_doubt", at))
            yield "types the rest", self.key(state, "all", at)._replace(inject=self.inject_typed(at))
            yield "types the rest, and times out", self.key(state, "all", at)._replace(inject=("in_doubt", at))
        else:
            after, moved = self.commit(state, "in_doubt" if step == "left" else step, at)
            follows = {"left": SETUP, "intent": ("type", at) if moved else READ, "nothing_typed": IDLE}
            yield f"commits {step}", after._replace(inject=follows.get(step, READ))

    def inject_setup(self, state: State) -> Step:
        """What a dead predecessor left behind is in doubt."""
        found = self.oldest(state, "intent")
        return READ if found is None else ("left", found)

    def inject_next(self, state: State) -> Step:
        """The first unfinished utterance, if it is ready."""
        found = self.oldest(state, *UNFINISHED)
        if found is None or state.rows[found].state != "transformed":
            return IDLE
        return ("late", found) if state.rows[found].key < state.old else ("intent", found)

    def inject_typed(self, at: int) -> Step:
        """What follows the last keystroke."""
        return ("typed", at)

    def key(self, state: State, what: str, at: int) -> State:
        """Type into the window."""
        return state._replace(screen=(*state.screen, (what, state.rows[at].key)))


def _mail(mail: tuple[int, int, int], to: int, count: int) -> tuple[int, int, int]:
    stt, transform, inject = mail
    return (
        (count, transform, inject)
        if to == STT
        else (stt, count, inject)
        if to == TRANSFORM
        else (stt, transform, count)
    )


# -- the checker -------------------------------------------------------------------------------------------------------


class BrokenPromiseError(Exception):
    """A state that must not be, and how it came to be."""

    def __init__(self, what: str, trace: list[str]) -> None:
        super().__init__("\n".join([what, *trace]))
        self.what = what
        self.trace = trace


def broken(state: State) -> str | None:  # noqa: PLR0911 - one for each thing that may be wrong
    """Return what is wrong with a state."""
    keys = [row.key for row in state.rows]
    spoken = [key for key in keys if key < AGAIN]
    if spoken != sorted(set(spoken)):
        return f"utterances in the journal: {keys}"
    began = [key for what, key in state.screen if what == "began"]
    if len(set(began)) != len(began):
        return f"typed twice: {state.screen}"
    if began != sorted(began, key=keys.index):
        return f"typed out of order: {state.screen}"
    for at, (what, key) in enumerate(state.screen):
        if what == "all" and state.screen[at - 1] != ("began", key):
            return f"typed into one another: {state.screen}"
    if sum(row.state == "intent" for row in state.rows) > 1:
        return "two utterances are being typed at once"
    for key, found in state.rows:
        if found == "typed" and ("all", key) not in state.screen:
            return f"{key} is called typed and is not: lost"
        if found not in ("intent", "in_doubt", "typed", GONE) and key in began:
            return f"{key} is called {found} and was typed"
    return None


def broken_step(service: Service, before: State, after: State) -> str | None:
    """Return what is wrong with a step: what has ended stays as it is, and nothing that was found is forgotten."""
    for old, new in zip(before.rows, after.rows, strict=False):
        over = old.state in service.finished or old.state == GONE
        if old.key != new.key or (over and new.state not in (old.state, GONE)):
            return f"{old.key} was {old.state} and is {new.state}"
        if new.state == GONE and not over:
            return f"{old.key} was {old.state} and is deleted: lost"
    if len(after.rows) < len(before.rows):
        return "an utterance has gone from the journal"
    if len(after.rows) > len(before.rows) and (key := after.rows[-1].key - AGAIN) >= 0:
        was = next(row.state for row in before.rows if row.key == key)
        if was not in service.finished:
            return f"{key} is to be typed again and is {was}: typed twice"
    return None


def ended(service: Service, state: State) -> bool:
    """Whether every utterance that was spoken has come to an end that the person can see."""
    spoken = sum(row.key < AGAIN for row in state.rows)
    return spoken == service.utterances and all(
        row.state in service.finished or row.state == GONE for row in state.rows
    )


def check(service: Service) -> set[tuple[str, ...]]:
    """Visit every state there is and return in which ways all may end, as the states of the utterances in order.

    Raises:
        BrokenPromiseError: a state or a step is wrong, or from one the end cannot be reached; with a shortest trace.
    """
    # Nothing here is garbage before the end, so looking for it only costs time.
    gc.disable()
    try:
        return _search(service)
    finally:
        gc.enable()


def _search(service: Service) -> set[tuple[str, ...]]:
    # A state is hashed once for each step into it, and is a number from then on: that is half of the time.
    numbers = {State(): 0}
    states = [State()]
    came: list[tuple[int, str]] = [(-1, "")]
    into: list[list[int]] = [[]]  # without kills, losses and mishaps
    sound: set[tuple[tuple[Row, ...], tuple[Row, ...]]] = set()

    def trace(at: int) -> list[str]:
        lines = []
        while at:
            before, what = came[at]
            lines.append(f"{what:40} {' '.join(f'{row.key}:{row.state}' for row in states[at].rows)}")
            at = before
        return lines[::-1]

    for at, state in enumerate(states):  # which grows meanwhile
        for what, ours, after in service.moves(state):
            number = numbers.setdefault(after, len(states))
            wrong = None
            if after.rows is not state.rows and (state.rows, after.rows) not in sound:
                wrong = broken_step(service, state, after)
                sound.add((state.rows, after.rows))
            if number == len(states):
                states.append(after)
                came.append((at, what))
                into.append([])
                wrong = wrong or broken(after)
            if ours:
                into[number].append(at)
            if wrong:
                raise BrokenPromiseError(wrong, [*trace(at), what])
    ends = [at for at, state in enumerate(states) if ended(service, state)]
    reaching, waiting = set(ends), deque(ends)
    while waiting:
        for before in into[waiting.popleft()]:
            if before not in reaching:
                reaching.add(before)
                waiting.append(before)
    for at in range(len(states)):  # in the order they were found, so the first is among the nearest
        if at not in reaching:
            raise BrokenPromiseError("an utterance never comes to an end: lost", trace(at))
    return {tuple(row.state for row in states[at].rows) for at in ends}


# -- the service keeps the promise -------------------------------------------------------------------------------------


def test_the_journal_only_moves_forward(transitions: Transitions) -> None:
    """Tried on the real journal: a row that has ended stays so, and what the journal says is what it did."""
    assert set(METHODS) >= {"transcribed", "suppressed", "transformed", "intent", "typed", "nothing_typed"}
    finished = set(transitions.paths) - {ABSENT, *UNFINISHED}
    assert finished == {"typed", "suppressed", "late", "in_doubt"}
    for (method, before), (after, said) in transitions.after.items():
        assert after == before or before not in finished
        if method != "cancel":  # which answers for the recording, not for the row
            assert said == (after != before)


def test_oldest_is_the_first_in_spoken_order(tmp_path: Path, transitions: Transitions) -> None:
    """The model's `oldest` and the real one agree, for every pair of states and everything a stage asks for."""
    asked = (("segmented",), ("segmented", "transcribed"), ("intent",), UNFINISHED)
    bench = Bench(tmp_path / "journal.db")
    service = Service(transitions, utterances=2, messages=False)
    states = [state for state in transitions.paths if state != ABSENT]
    for first in states:
        for second in states:
            for row in bench.journal.utterances():
                bench.journal.stop_recording(row.generation, cancel=True)
                bench.journal.in_doubt(row.ordinal, reason="out of the way")
            at = [bench.build(*transitions.paths[state])[0] for state in (first, second)]
            modelled = State(rows=(Row(0, first), Row(1, second)))
            for states_asked in asked:
                real = bench.journal.oldest(*states_asked)
                found = service.oldest(modelled, *states_asked)
                assert (None if real is None else real.first) == (None if found is None else at[found])
    bench.journal.close()


STEPS: Final = {
    Vad._close: ["journal.segmented", "publish"],
    FinalRecogniser.work: ["journal.oldest(segmented)"],
    FinalRecogniser._finish: ["_attempt", "journal.transcribed", "publish"],
    FinalRecogniser._attempt: ["journal.attempted", "decode"],
    FinalRecogniser._suppress: ["journal.suppressed", "publish"],
    Transform.work: ["journal.oldest(segmented, transcribed)"],
    Transform._transform: ["journal.suppressed", "publish", "journal.transformed", "publish"],
    Inject.setup: ["journal.oldest(intent)", "journal.in_doubt"],
    Inject.work: ["journal.oldest(*UNFINISHED)"],
    Inject._deliver: [
        "journal.intent", "chain.type", "journal.typed", "journal.in_doubt", "journal.nothing_typed",
    ],
    Inject._doubt: ["journal.in_doubt"],
    Inject._late: ["journal.late"],
}  # fmt: skip
"""What the model has as steps, in the order in which the source has them.

What the injector publishes is for the person alone, and is left out; so is decoding on speculation, which changes
nothing but memory and time.
"""


@pytest.mark.parametrize("function", STEPS, ids=lambda function: function.__qualname__)
def test_the_model_has_the_steps_of_the_source(function: Callable[..., object]) -> None:
    """Each stage touches journal, bus and window in the order that the model has; whoever changes one sees this."""
    calls = []
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).removeprefix("self.")
            if name == "_doubt":
                name = "journal.in_doubt"  # that is what it does first
            if name == "journal.oldest":
                name += "(" + ", ".join(ast.unparse(one) for one in node.args).replace("'", "") + ")"
            if name == "publish" and function.__qualname__.startswith("Inject."):
                continue
            if name in ("publish", "decode", "_attempt", "chain.type") or name.startswith("journal."):
                calls.append((node.lineno, node.col_offset, name))
    assert [name for _, _, name in sorted(calls)] == STEPS[function]


ENDS: Final = ("typed", "suppressed", "late", "in_doubt")
ENDS_OF_TWO: Final = set(itertools.product(ENDS, repeat=2))
"""Each may end in each way, whatever becomes of the other: the model leaves nothing out."""


def test_two_utterances_with_messages(transitions: Transitions) -> None:
    """Two utterances, kills anywhere, each message lost or doubled, late or not: the promise holds everywhere."""
    assert check(Service(transitions, utterances=2, messages=True, cancels=False)) == ENDS_OF_TWO


def test_two_utterances_that_are_cancelled(transitions: Transitions) -> None:
    """Two utterances, kills anywhere, cancelled at any instant: what was given up is not typed, the rest is."""
    assert check(Service(transitions, utterances=2, messages=False)) == ENDS_OF_TWO


def test_three_utterances(transitions: Transitions) -> None:
    """Three utterances, kills anywhere, late or not, and no message ever arrives: the promise holds everywhere."""
    ends = check(Service(transitions, utterances=3, messages=False, cancels=False))
    assert ends == set(itertools.product(ENDS, repeat=3))


def test_what_is_typed_again_or_deleted(transitions: Transitions) -> None:
    """Kills anywhere; any utterance that has ended is typed again or deleted, at any instant: none is lost or swapped.

    Either of two that do not grow old, and both of one that does: all at once takes 30 s and shows no more.
    """
    assert transitions.retyped == transitions.deleted == set(ENDS)
    young = [end for end in ENDS if end != "late"]
    ends = check(Service(transitions, utterances=2, messages=False, cancels=False, ages=False, retypes=True))
    assert {end for end in ends if len(end) == 2} == set(itertools.product(young, repeat=2))
    assert {end for end in ends if len(end) == 3} > set(itertools.product(young, young, ("typed", "in_doubt")))
    ends = check(Service(transitions, utterances=2, messages=False, cancels=False, ages=False, deletes=True))
    assert ends == set(itertools.product((*young, GONE), repeat=2))
    ends = check(Service(transitions, utterances=1, messages=False, cancels=False, retypes=True, deletes=True))
    assert {end[1] for end in ends if len(end) > 1} == {"typed", "in_doubt", GONE}


def test_what_kills_the_recogniser(tmp_path: Path, transitions: Transitions) -> None:
    """An utterance that kills the recogniser each time is suppressed in the end, and holds up the other for a while."""
    for poison in (0, 1):
        ends = check(Service(transitions, utterances=2, messages=False, cancels=False, poison=poison))
        assert {end[poison] for end in ends} == {"suppressed"}
        assert {end[1 - poison] for end in ends} == set(ENDS)
    bench = Bench(tmp_path / "journal.db")
    service, state = Service(transitions, utterances=2, messages=False), State()
    for at in (0, 0, 1, 1, 1, 0, 1):
        state, count = service.stt_attempt(state, at)
        assert bench.journal.attempted(at + 1) == count
    bench.journal.close()


# -- and a service that were a little different would not --------------------------------------------------------------


class IntentAfterTyping(Service):
    """Writes down that it types when it has typed."""

    def inject_next(self, state: State) -> Step:
        """Go straight to the keys."""
        step, at = super().inject_next(state)
        return ("type" if step == "intent" else step, at)

    def inject_typed(self, at: int) -> Step:
        """Only now say so."""
        return ("intent", at)

    def inject(self, state: State) -> Iterator[tuple[str, State]]:
        """Commit intent, then typed."""
        if state.inject[0] == "intent":
            after, _ = self.commit(state, "intent", state.inject[1])
            yield "commits intent", after._replace(inject=("typed", state.inject[1]))
        else:
            yield from super().inject(state)


class TypesAgain(Service):
    """Takes what its predecessor left in `intent` for not typed."""

    def inject_setup(self, state: State) -> Step:
        """Type it once more."""
        step, at = super().inject_setup(state)
        return ("type" if step == "left" else step, at)


class TakesTheNewest(Service):
    """Types the newest that is ready.

    That it takes the oldest *ready* one, and does not look whether an earlier one is still on its way, is not caught:
    stt and transform keep the order too, so nothing is ready before its turn. The injector's look is a second lock.
    """

    def inject_next(self, state: State) -> Step:
        """Take the last one that is ready."""
        ready = [at for at, row in enumerate(state.rows) if row.state == "transformed"]
        return ("intent", ready[-1]) if ready else IDLE


class LeavesIntent(Service):
    """Does not look for what its predecessor left."""

    def inject_setup(self, state: State) -> Step:
        """Go to work at once."""
        return READ


class TrustsMessages(Service):
    """Wakes for messages only."""

    def wake(self, state: State, me: int) -> Iterator[tuple[str, State]]:
        """Leave out the clock."""
        return (move for move in super().wake(state, me) if move[0] != "ticks")


class MovesBeforeTheRow(Service):
    """Commits the VAD's position, then the utterance."""

    def vad_commit(self, state: State, key: int) -> Iterator[tuple[str, State]]:
        """Two commits instead of one."""
        if state.position == key:
            yield f"moves past {key}", state._replace(position=key + 1)
        else:
            yield f"commits {key}", self.enter(state, key)[0]._replace(vad=("publish", key))


class NoKey(Service):
    """Commits the utterance, then the position, and knows no utterance by its key."""

    def vad_commit(self, state: State, key: int) -> Iterator[tuple[str, State]]:
        """Two commits instead of one, and always a new row."""
        if state.vad[0] == "move":
            yield f"moves past {key}", state._replace(position=key + 1, vad=("publish", key))
        else:
            row = Row(key, "segmented")
            yield f"commits {key}", state._replace(rows=(*state.rows, row), vad=("move", key))


class ToolLivesOn(Service):
    """Types by a tool, in a process of its own, which does not die with the injector."""

    def kills(self, state: State) -> Iterator[Move]:
        """Kill the injector alone, and let its tool type on."""
        step, at = state.inject
        orphan = state.rows[at].key if step == "rest" else state.orphan
        yield "inject is killed, its tool is not", False, state._replace(inject=SETUP, orphan=orphan)
        if state.orphan >= 0:
            screen = (*state.screen, ("all", state.orphan))
            yield "the orphan types the rest", False, state._replace(screen=screen, orphan=-1)


class PositionAfterwards(Service):
    """Commits the utterance, then the position; its key is known, but for one that was deleted."""

    def vad_commit(self, state: State, key: int) -> Iterator[tuple[str, State]]:
        """Two commits instead of one."""
        if state.vad[0] == "move":
            yield f"moves past {key}", state._replace(position=key + 1, vad=("publish", key))
        else:
            yield f"commits {key}", self.enter(state, key)[0]._replace(vad=("move", key))


class ReadsBack(Service):
    """Looks at an utterance again when it has been typed, and takes it for an error that there is none."""

    def inject(self, state: State) -> Iterator[tuple[str, State]]:
        """Look once more."""
        step, at = state.inject
        if step == "look":
            gone = state.rows[at].state == GONE
            yield "looks", state._replace(inject=("given up", at) if gone else READ)
        elif step != "given up":
            for what, after in super().inject(state):
                yield what, after._replace(inject=("look", at)) if step == "typed" else after

    def kills(self, state: State) -> Iterator[Move]:
        """An injector that ended with the code for a wrong setting is not started again."""
        for what, ours, after in super().kills(state):
            if state.inject[0] != "given up" or what != "inject is killed":
                yield what, ours, after


class DecodesFirst(Service):
    """Counts an attempt when it has been made."""

    def stt(self, state: State) -> Iterator[tuple[str, State]]:
        """Decode, then count."""
        for what, after in super().stt(state):
            yield what, after._replace(stt=("decode", after.stt[1])) if after.stt[0] == "attempt" else after


class NoGuard(Service):
    """Has a journal whose transitions do not ask for the state they expect."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "journal", self.journal.unguarded())


class RetypesAnything(Service):
    """Types again what is still on its way."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "journal", replace(self.journal, retyped=frozenset(self.journal.paths)))


class DeletesAnything(Service):
    """Deletes what is still on its way."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "journal", replace(self.journal, deleted=frozenset(self.journal.paths)))


@pytest.mark.parametrize(
    ("mutant", "what"),
    [
        (PositionAfterwards, "utterances in the journal: [0, 0]"),
        (ReadsBack, "never comes to an end"),
        (DecodesFirst, "never comes to an end"),
        (RetypesAnything, "is to be typed again and is"),
        (DeletesAnything, "and is deleted: lost"),
        (IntentAfterTyping, "is called transformed and was typed"),
        (TypesAgain, "typed twice"),
        (TakesTheNewest, "typed out of order"),
        (LeavesIntent, "never comes to an end"),
        (TrustsMessages, "never comes to an end"),
        (MovesBeforeTheRow, "never comes to an end"),
        (NoKey, "utterances in the journal: [0, 0]"),
        (ToolLivesOn, "typed into one another"),
        (NoGuard, "0 was suppressed and is"),
    ],
)
def test_a_mutant_is_caught(transitions: Transitions, mutant: type[Service], what: str) -> None:
    """Each thing the design insists on is needed: without it there is a way to break the promise, and it is found."""
    with pytest.raises(BrokenPromiseError) as caught:
        check(
            mutant(
                transitions, utterances=1 if mutant is TrustsMessages else 2, messages=mutant is TrustsMessages,
                cancels=mutant is NoGuard, retypes=mutant is RetypesAnything,
                deletes=mutant in (PositionAfterwards, ReadsBack, DeletesAnything),
                poison=0 if mutant is DecodesFirst else -1,
            )
        )  # fmt: skip
    assert what in caught.value.what
    assert caught.value.trace or mutant is DecodesFirst  # which has no way to its end from the start
