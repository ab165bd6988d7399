"""What lies outside and may change a text before it is typed: first the hook, then the rewrite.

The hook is first, so that what it swallows goes to no server. Neither may hold up or lose a text: what fails is told
once, and the text goes on as it was. What has failed three times in a row is left alone for half a minute, and again
with each failure after that, since each may cost the whole time-out, and people speak faster than that.

After a change, the context that the rules left describes a text that was not typed, so it is made to fit the one that
was. A mark that came from outside counts as spoken: the recogniser did not write it, so none of its second thoughts
(`Context.mended`) may take it back.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sottovoce.actors.transform.context import Case, Context, Mode
from sottovoce.actors.transform.heard import MARKS, TERMINATORS
from sottovoce.actors.transform.refusals import HookFailed, RewriteFailed, Swallowed
from sottovoce.protocol.config import Config
from sottovoce.protocol.rows import UtteranceRow

if TYPE_CHECKING:
    from sottovoce.actors.transform.hook import Hook
    from sottovoce.actors.transform.rewrite import Rewrite

SWALLOWED: Final = "the hook swallowed it"
"""The reason of an utterance that the hook did not want to be typed."""
_PATIENCE: Final = 3
_REST_S: Final = 30.0
_OPENERS: Final = "([{<“‘«„"

Tell = Callable[[Literal["info", "warning"], str, str], None]
"""Level, code, text: as `Actor.notice`."""


class Outside:
    """The hook and the rewrite of a configuration, of which each may be missing.

    Args:
        config: what of it is wrong is told, and left out.
        tell: is given each notice; none holds dictated text.
        clock: seconds, monotonic.
    """

    def __init__(self, config: Config, tell: Tell, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._language = config.transform.language
        self._hook: Hook | None = None
        self._rewrite: Rewrite | None = None
        self._standing = {"hook": _Standing("hook", tell, clock), "rewrite": _Standing("rewrite", tell, clock)}
        if config.hook.command:
            from sottovoce.actors.transform.hook import Hook

            self._hook = Hook(config.hook)
            if why := self._hook.missing():
                self._standing["hook"].failed(why)
        if config.rewrite.url:
            from sottovoce.actors.transform.rewrite import Rewrite

            try:
                self._rewrite = Rewrite(config.rewrite)
            except RewriteFailed as error:
                tell("warning", "rewrite", f"nothing is rewritten until the configuration is corrected: {error}")

    @property
    def wanted(self) -> bool:
        """Whether there is anything that could change a text."""
        return self._hook is not None or self._rewrite is not None

    def apply(self, text: str, row: UtteranceRow, *, mode: Mode = "dictation", application: str | None = None) -> str:
        """Return what to type for a text of the rules, itself where nothing outside has a better one.

        The space that parts it from the utterance before is not shown to anybody, and stays. Only prose is rewritten:
        in the other modes each character is meant as it was said.

        Raises:
            Swallowed: the hook wants nothing to be typed.
        """
        space = " " if text.startswith(" ") and text.strip() else ""
        core = text.removeprefix(space)
        if self._hook is not None and self._standing["hook"].asked:
            from sottovoce.actors.transform.hook import Key, Said

            said = Said(
                text=core, heard=row.heard or "", language=self._language, mode=mode,
                utterance=Key(row.stream, row.first), application=application,
            )  # fmt: skip
            try:
                core = self._hook.apply(said)
                self._standing["hook"].succeeded()
            except Swallowed:
                self._standing["hook"].succeeded()
                raise
            except HookFailed as error:
                self._standing["hook"].failed(str(error))
            except Exception as error:  # noqa: BLE001 - it would come again with this text, and hold up all after it
                self._standing["hook"].failed(_report(error))
        prose = mode == "dictation" and any(map(str.isalnum, core))
        if self._rewrite is not None and prose and self._standing["rewrite"].asked:
            try:
                core = self._rewrite.apply(core)
                self._standing["rewrite"].succeeded()
            except RewriteFailed as error:
                self._standing["rewrite"].failed(str(error))
            except Exception as error:  # noqa: BLE001 - as above
                self._standing["rewrite"].failed(_report(error))
        return space + core

    def close(self) -> None:
        """Close the connection to the server."""
        if self._rewrite is not None:
            self._rewrite.close()


class _Standing:
    """How one of the two has done of late."""

    def __init__(self, name: str, tell: Tell, clock: Callable[[], float]) -> None:
        self._name, self._tell, self._clock = name, tell, clock
        self._failures = 0
        self._asked_from = 0.0
        self._told = False

    @property
    def asked(self) -> bool:
        """Whether it is its turn, or it rests."""
        return self._clock() >= self._asked_from

    def succeeded(self) -> None:
        """Forget its failures."""
        if self._told:
            self._tell("info", self._name, f"the {self._name} works again")
        self._failures, self._told = 0, False

    def failed(self, why: str) -> None:
        """Note a failure; the first in a row is told."""
        self._failures += 1
        if not self._told:
            self._told = True
            self._tell("warning", self._name, f"texts are typed without the {self._name}, for it failed: {why}")
        if self._failures >= _PATIENCE:
            self._asked_from = self._clock() + _REST_S


def _report(error: Exception) -> str:
    """Return where an error of our own was, and not what: its words may quote what was said."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}; please report this"


def fitted(context: Context, text: str) -> Context:
    """Return the context with the end of `text`, not empty, in the place of what the rules took for the end.

    What is open and the modes stay, for that was said.
    """
    written = text.rstrip(" \t")
    last = written[-1:]
    line = last in {"", "\n"}
    mark = last if not line and last in MARKS else ""
    if line or mark in TERMINATORS:
        case: Case = "start"
    else:
        case = "inside" if mark in {",", ";", ":"} else "free"
    glue = line or written != text or last in _OPENERS
    return msgspec.structs.replace(context, glue=glue, case=case, mark=mark, spoken=mark != "", line=line)
