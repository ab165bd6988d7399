"""The injector: types what is ready, in spoken order, once.

It subscribes to hints and answers nobody: there is no request that makes it type. Text comes from the journal alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from sottovoce.actors.base import TICK_MS, Actor
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.inject import Chain, Delivery, Outcome, choose
from sottovoce.actors.inject.edits import Doing, EditRefusedError, planned
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.messages import NotTyped, Suppressed, Typed
from sottovoce.protocol.rows import UNFINISHED, Edit, UtteranceRow

_RETRY_S = 1.0
_HEARD_AFTER_S = 0.25
"""Until then subscribers have not all come back after a restart: of 8 notices sent at once, 1 was heard."""
_PAGE = 64  # utterances that are read at once, to find what stands
_DIED = "the injector died while it typed this"


class Inject(Actor):
    """Delivers."""

    name = "inject"
    hears = ("text.ready", "transcript.suppressed")
    counts: ClassVar[tuple[str, ...]] = ("typed", "in_doubt", "late", "edits")
    times: ClassVar[tuple[str, ...]] = ("type_us",)

    def setup(self) -> None:
        """Find the backends; give up what a predecessor may or may not have typed, of which the person is told."""
        config = self.config.inject
        self.chain: Chain = choose(config.backends, file=config.file or None, stdout=self.stdout)
        self.log.info("backends", chain=self.chain.describe())
        self.retry_at = 0.0
        self.told = False
        self.before = 0, 0.0
        """The utterance that was typed last, by this process, and when."""
        self.orphans: list[UtteranceRow] = []
        while (row := self.journal.oldest("intent")) is not None:
            # Only this process moves rows out of `intent`, and it holds its name: whoever left it there is dead.
            if self.journal.in_doubt(row.ordinal, reason=_DIED):
                self.orphans.append(row)
        self.tell_at = time.monotonic() + _HEARD_AFTER_S

    def sleep_ms(self) -> int:
        """Return the time until the next attempt."""
        if not self.retry_at:
            return super().sleep_ms()
        return min(TICK_MS, max(1, round((self.retry_at - time.monotonic()) * 1000)))

    def work(self) -> None:
        """Type what is ready, up to the first utterance that is not."""
        if self.orphans and time.monotonic() >= self.tell_at:
            for orphan in self.orphans:
                self._tell_doubt(orphan, _DIED)
            self.orphans.clear()
        while (row := self.journal.oldest(*UNFINISHED)) is not None and row.state == "transformed":
            if row.age_s() > self.config.inject.deliver_within:
                self._late(row)
            elif time.monotonic() < self.retry_at or not self._deliver(row):
                return
        self.retry_at = 0.0

    def _deliver(self, row: UtteranceRow) -> bool:
        """Type one utterance, or do one edit; False where nothing was typed, by proof, and another attempt is worth it.

        An edit that cannot be done is not tried again: the cursor may be elsewhere by then.
        """
        doing: Doing | None = None
        if row.edit is not None and not row.text:
            try:
                doing = self._planned(row)
            except EditRefusedError as error:
                self._refuse(row, str(error))
                return True
        failpoint("inject.before_intent")
        names = ",".join(backend.name for backend in self.chain.backends)
        if not self.journal.intent(row.ordinal, backend=names):
            return True  # cancelled in between
        failpoint("inject.after_intent")
        began = time.perf_counter_ns()
        with self.busy():
            if doing is not None:
                delivery = doing.do(self.chain)
            else:
                delivery = self.chain.type(row.text or "", mended=self._mended(row))
            if row.edit is not None and doing is None and delivery.outcome is Outcome.TYPED:
                delivery = self._pressed(row, delivery)
        self.page.observe("type_us", (time.perf_counter_ns() - began) // 1000)
        failpoint("inject.after_type")
        self.before = 0, 0.0
        if delivery.outcome is Outcome.TYPED:
            if doing is not None:
                self._commit_edit(row, doing, delivery)
            else:
                self.journal.typed(row.ordinal, backend=delivery.backend, mended=delivery.mended, place=delivery.place)
                self.before = row.ordinal, time.monotonic()
            failpoint("inject.after_commit")
            self.page.add("typed" if doing is None else "edits")
            # Not read back: it is at its end now, and the person may have deleted it already.
            done = msgspec.structs.replace(row, typed_ns=now_ns())
            self.publish(
                Typed(
                    stream=row.stream, first=row.first,
                    text=doing.given if doing else (row.mended if delivery.mended else row.text) or "",
                    backend=delivery.backend, timings_ms=done.timings_ms(), mended=delivery.mended,
                    taken=doing.taken if doing else 0,
                )
            )  # fmt: skip
            self.told, self.retry_at = False, 0.0
            return True
        if delivery.outcome is Outcome.UNKNOWN:
            self._doubt(row, delivery.detail)
            return True
        if doing is not None:
            self._refuse(row, delivery.detail)
            return True
        self.journal.nothing_typed(row.ordinal, reason=delivery.detail)
        self.retry_at = time.monotonic() + _RETRY_S
        if not self.told:
            self.told = True
            self.notice("error", "inject", f"nothing can be typed: {delivery.detail}")
        return False

    def _mended(self, row: UtteranceRow) -> str:
        """Return what to type instead if the last character before can be taken back, "" where that may not be."""
        ordinal, typed_at = self.before
        if row.mended is None or ordinal != row.ordinal - 1:
            return ""
        return row.mended if time.monotonic() - typed_at <= self.config.inject.mend_within else ""

    def _pressed(self, row: UtteranceRow, typed: Delivery) -> Delivery:
        """Press the key that was said behind a text, which has just been typed."""
        pressed = self.chain.press(_asked(row).keys)
        if pressed.outcome is Outcome.TYPED:
            return typed
        detail = f"typed, but the key that was said behind it may not have been pressed ({pressed.detail})"
        return Delivery(Outcome.UNKNOWN, typed.backend, detail)

    def _planned(self, row: UtteranceRow) -> Doing:
        """Return what an edit has to do. EditRefusedError: nothing can be done."""
        return planned(
            _asked(row), self._earlier(row.ordinal), lambda ordinal: self.journal.utterance(ordinal).standing,
            within=self.config.edits.within, language=self.config.transform.language,
        )  # fmt: skip

    def _commit_edit(self, row: UtteranceRow, doing: Doing, delivery: Delivery) -> None:
        self.journal.edited(
            row.ordinal, backend=delivery.backend, edit=msgspec.json.encode(doing.done).decode(), place=delivery.place,
            stands=doing.stands,
        )  # fmt: skip

    def _refuse(self, row: UtteranceRow, why: str) -> None:
        if self.journal.refused(row.ordinal, reason=why):
            self.publish(Suppressed(stream=row.stream, first=row.first, reason=why))
            what = "no key was pressed" if _asked(row).does == "press" else "nothing was taken back"
            self.notice("warning", "edit", f"{what}: {why}")

    def _earlier(self, ordinal: int) -> Iterator[UtteranceRow]:
        """Yield the utterances before one, the newest first."""
        while rows := self.journal.earlier(ordinal, limit=_PAGE):
            yield from rows
            ordinal = rows[-1].ordinal

    def _doubt(self, row: UtteranceRow, detail: str) -> None:
        if self.journal.in_doubt(row.ordinal, reason=detail):
            self._tell_doubt(row, detail)

    def _tell_doubt(self, row: UtteranceRow, detail: str) -> None:
        self.page.add("in_doubt")
        self.publish(NotTyped(stream=row.stream, first=row.first, state="in_doubt", detail=detail))
        self.notice("warning", "in_doubt", f"an utterance may not have been typed ({detail})")

    def _late(self, row: UtteranceRow) -> None:
        self.before = 0, 0.0
        detail = f"more than {self.config.inject.deliver_within:g} s after it was spoken"
        if row.reason:
            detail += f"; {row.reason}"
        if self.journal.late(row.ordinal, reason=detail):
            self.page.add("late")
            self.publish(NotTyped(stream=row.stream, first=row.first, state="late", detail=detail))
            self.notice("warning", "late", f"an utterance was not typed: {detail}")

    def teardown(self) -> None:
        """Close the backends."""
        self.chain.close()


def _asked(row: UtteranceRow) -> Edit:
    return msgspec.json.decode(row.edit or "{}", type=Edit)
