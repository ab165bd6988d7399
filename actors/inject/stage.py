"""The injector: types what is ready, in spoken order, once.

It subscribes to hints and answers nobody: there is no request that makes it type. Text comes from the journal alone.
"""

from __future__ import annotations

import time
from typing import ClassVar

import msgspec

from sottovoce.actors.base import TICK_MS, Actor
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.inject import Chain, Outcome, choose
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.messages import NotTyped, Typed
from sottovoce.protocol.rows import UNFINISHED, UtteranceRow

_RETRY_S = 1.0
_HEARD_AFTER_S = 0.25
"""Until then subscribers have not all come back after a restart: of 8 notices sent at once, 1 was heard."""
_DIED = "the injector died while it typed this"


class Inject(Actor):
    """Delivers."""

    name = "inject"
    hears = ("text.ready", "transcript.suppressed")
    counts: ClassVar[tuple[str, ...]] = ("typed", "in_doubt", "late")
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
        """Type one utterance; False where it is proven that nothing was typed and it is worth another attempt."""
        failpoint("inject.before_intent")
        names = ",".join(backend.name for backend in self.chain.backends)
        if not self.journal.intent(row.ordinal, backend=names):
            return True  # cancelled in between
        failpoint("inject.after_intent")
        began = time.perf_counter_ns()
        with self.busy():
            delivery = self.chain.type(row.text or "", mended=self._mended(row))
        self.page.observe("type_us", (time.perf_counter_ns() - began) // 1000)
        failpoint("inject.after_type")
        self.before = 0, 0.0
        if delivery.outcome is Outcome.TYPED:
            self.journal.typed(row.ordinal, backend=delivery.backend, mended=delivery.mended)
            self.before = row.ordinal, time.monotonic()
            failpoint("inject.after_commit")
            self.page.add("typed")
            # Not read back: it is at its end now, and the person may have deleted it already.
            done = msgspec.structs.replace(row, typed_ns=now_ns())
            self.publish(
                Typed(
                    stream=row.stream, first=row.first, text=(row.mended if delivery.mended else row.text) or "",
                    backend=delivery.backend, timings_ms=done.timings_ms(), mended=delivery.mended,
                )
            )  # fmt: skip
            self.told, self.retry_at = False, 0.0
            return True
        if delivery.outcome is Outcome.UNKNOWN:
            self._doubt(row, delivery.detail)
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
