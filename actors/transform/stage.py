"""The transform stage: in spoken order, from what was heard to what is written."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from sottovoce.actors.base import Actor
from sottovoce.actors.counterpart import Counterpart
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.transform import Context
from sottovoce.actors.transform.corrections import Fired
from sottovoce.actors.transform.editing import Editing
from sottovoce.actors.transform.edits import pressed
from sottovoce.actors.transform.learned import Learned
from sottovoce.actors.transform.live import LiveRules
from sottovoce.actors.transform.modes import Modes
from sottovoce.actors.transform.numbers import mode_of
from sottovoce.actors.transform.outside import SWALLOWED, Outside, fitted
from sottovoce.actors.transform.refusals import Swallowed
from sottovoce.actors.transform.rulebook import own
from sottovoce.protocol.corrections import database_path
from sottovoce.protocol.messages import Event, SegmentClosed, SpeechPause, Suppressed, TextReady
from sottovoce.protocol.rows import SCRATCHED, UtteranceRow

_MARK: Final = re.compile(r"[\u00a0\u202f]?(?:[,;:?!…]|\.\.\.)")
"""A mark of its own at the start of a text; French ones have a space before them."""


class Transform(Actor):
    """Applies the transform; its context is committed with each text, so a restart goes on in mid-sentence."""

    name = "transform"
    hears = (
        "transcript.final", "transcript.suppressed", "speech.pause", "segment.closed",
        "inject.typed", "inject.not_typed",
    )  # fmt: skip
    counts: ClassVar[tuple[str, ...]] = ("utterances",)
    times: ClassVar[tuple[str, ...]] = ("apply_us",)

    def setup(self) -> None:
        """Load the rules."""
        language = self.config.transform.language
        kept = self.paths.state / "rules" / f"{language}.toml"
        self.rules = LiveRules(language, own(self.paths.config, language), kept)
        self.learned = Learned(database_path(self.paths), self.config.transform)
        self._look_learned()
        self.outside = Outside(self.config, self.notice)
        self.modes = Modes(self.paths, self.config.transform, publish=self.publish, notice=self.notice)
        self.editing = Editing(self.config.edits, self.journal, self.notice)
        # After the warden, which watches all stages, has had its time.
        patience = 2 * self.config.warden.stalled_after
        self.conductor = Counterpart(self.paths.counters("conductor"), self.poller, patience=patience)

    def hear(self, event: Event) -> None:
        """Ask in the pause which window has the focus, so that the text need not wait for that."""
        if isinstance(event.body, (SpeechPause, SegmentClosed)):
            self.modes.ask()

    def work(self) -> None:
        """Transform what waits; an utterance that is not decoded yet holds back those after it."""
        self.modes.look()
        if (told := self.rules.look()) is not None:
            self.notice(told.level, "rules", told.text)
        while (row := self.journal.oldest("segmented", "transcribed")) is not None and row.state == "transcribed":
            if self.editing.under_way:
                break
            self._transform(row)
        self._look_learned()  # after what waits: to take up a first correction by sound reads a list of words, 0.2 s
        if self.conductor.look() == "frozen":
            self.notice("warning", "stalled", "conductor was stopped, and the warden did not see to it: it is replaced")

    def teardown(self) -> None:
        """Let the conductor and the server go."""
        if (lost := self.learned.close()) is not None:
            self.notice("warning", "corrections", lost)
        self.outside.close()
        self.modes.close()
        self.conductor.close()

    def _look_learned(self) -> None:
        if (wrong := self.learned.look()) is not None:
            self.notice("warning", "corrections", wrong)

    def _transform(self, row: UtteranceRow) -> None:
        before, last = self._context(row)
        before = before.switched(self.modes.current())
        fired: list[Fired] = []
        spoken = self.editing.find(row, self.rules.transformer.rules, before.mode)
        text, context = self._apply(spoken.text, before, fired)
        alone = spoken.edit is not None and not text  # it types nothing of its own
        self.learned.used(fired)
        if context.mode != before.mode:
            self.modes.spoken(context.mode)  # before the commit: after a kill the same is said in the new mode again
        reason = "nothing to type"
        if spoken.cut is not None:
            text, context = self.editing.cut(text, spoken.cut, before, context)
            reason = reason if text else SCRATCHED
        elif spoken.edit is not None:
            context = pressed(context, spoken.edit.keys) if spoken.edit.does == "press" else before
        plain = text
        if text and self.outside.wanted:
            try:
                text = self._outside(text, row, context)
            except Swallowed:
                text, reason = "", SWALLOWED
        mended = None
        mend = "" if _MARK.match(text) else row.mend  # a mark that is said stands for the recogniser's: "Yes." "!"
        if text != plain:
            context = fitted(context, text) if text else context
        elif (
            text and mend is not None and spoken.cut is None and last == row.ordinal - 1
            and (other := before.mended(mend)) is not None
        ):  # fmt: skip
            mended = mend + self._apply(spoken.text, other, [])[0]
        failpoint("transform.after_apply")
        self.page.add("utterances")
        if not text and not alone:
            # "Caps on" types nothing, and leaves another context.
            left = None if reason == SWALLOWED else msgspec.json.encode(context).decode()
            if self.journal.suppressed(row.ordinal, reason=reason, context=left):
                self.publish(Suppressed(stream=row.stream, first=row.first, reason=reason))
        elif self.journal.transformed(
            row.ordinal, text=text, context=msgspec.json.encode(context).decode(), mended=mended,
            plain=None if text == plain else plain, before=msgspec.json.encode(before).decode(),
            edit=None if spoken.edit is None else msgspec.json.encode(spoken.edit).decode(),
        ):  # fmt: skip
            failpoint("transform.after_commit")
            done = "" if spoken.edit is None else spoken.edit.does
            self.publish(TextReady(stream=row.stream, first=row.first, text=text, edit=done))

    def _outside(self, text: str, row: UtteranceRow, context: Context) -> str:
        """Return what the hook and the rewrite make of a text; `Swallowed` is for the caller."""
        with self.busy():
            try:
                return self.outside.apply(text, row, mode=context.mode, application=self.modes.application)
            finally:
                self.page.add("turns")  # many may wait, each with a hook that hangs

    def _apply(self, heard: str, context: Context, fired: list[Fired]) -> tuple[str, Context]:
        """Transform a text; one that breaks the rules goes on as it was heard, since it would break them again."""
        try:
            return self.rules.transformer.apply(
                heard,
                context,
                numbers=mode_of(self.config.transform),
                corrections=self.learned.corrections,
                fired=fired,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it may not hold up what follows
            # Where, and not what: the error's own words may quote what was said.
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.notice(
                "warning", "rules",
                f"an utterance is typed as it was heard, since the {self.config.transform.language} rules broke on it "
                f"({type(error).__name__} at {Path(where.filename).name}:{where.lineno}); please report this",
            )  # fmt: skip
            text = heard.strip()
            written = text if context.glue or not text else f" {text}"
            return written, Context(glue=False, case="free", mode=context.mode)

    def _context(self, row: UtteranceRow) -> tuple[Context, int]:
        """What was typed before: in this recording, or in one so shortly before that the cursor is still there.

        Returns:
            The context, and the ordinal of the utterance that left it, 0 for none.
        """
        remembered, last = self.journal.context()
        if not remembered or last is None or last.boot != row.boot:
            return Context(), 0
        assert last.transformed_ns is not None  # noqa: S101 - `context` selects by it
        rested = (row.spoken_ns - last.transformed_ns) / 1e9
        if last.generation != row.generation and rested > self.config.transform.carry:
            return Context(), 0
        try:
            context = msgspec.json.decode(remembered, type=Context)
            if last.edit is not None:
                context = self.editing.behind(last, context, self.rules.transformer.rules)
            # What typed nothing has no end that could be mended.
            return context, 0 if last.state == "suppressed" or last.edit is not None else last.ordinal
        except msgspec.DecodeError:  # of another version
            return Context(glue=False, case="free"), 0
