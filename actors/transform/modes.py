"""Which mode an utterance is taken in: a person's choice, what the configuration has for the application, the default.

A mode that somebody chose, by voice or with `sottovoce mode`, holds until another is chosen. Where the configuration
names modes for applications it is a choice for what one was dictating into, so it also ends when something is dictated
into an application for which the configuration has *another* entry. One without an entry changes nothing: who says
"spelling mode" and fills in a form that the configuration knows nothing of wants to spell there.

The transform itself stays pure. It is handed the mode in its context, and where it returns another one, that was said.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from sottovoce.actors.focus import Focus, FocusUnknown, Window
from sottovoce.actors.health import Tell
from sottovoce.actors.transform.context import Mode
from sottovoce.protocol import modes
from sottovoce.protocol.config import ApplicationConfig, TransformConfig
from sottovoce.protocol.messages import Body, ModeState
from sottovoce.protocol.modes import Chosen, InForce
from sottovoce.protocol.paths import Paths

_NOWHERE: Final = ""


class Modes:
    """Keeps the mode in force. It outlives the stage in a file, and ends with the service run.

    Args:
        paths: the service's paths.
        settings: `[transform]`.
        publish: where a change is told.
        notice: where a person is told that the focus is not known, once for each reason.
    """

    def __init__(
        self, paths: Paths, settings: TransformConfig, *, publish: Callable[[Body], None], notice: Tell
    ) -> None:
        self._paths, self._default = paths, settings.mode
        self._publish, self._notice = publish, notice
        self._rules = tuple(map(Rule, settings.applications))
        self._focus = Focus() if self._rules else None
        self._told = set[str]()
        self._wish_seen: tuple[int, int] | None = None
        known = modes.read(paths)
        self._chosen = known.chosen if known else None
        self._wish_ns = known.wish_ns if known else 0
        self._rule: Rule | None = None
        self._application = ""
        self._now: InForce | None = None
        self.look()
        self._put_down()

    def look(self) -> None:
        """Take up what was asked for with `sottovoce mode`, if it is new: 2 us where it is not."""
        seen = modes.signature(self._paths)
        if seen == self._wish_seen:
            return
        self._wish_seen = seen
        wish = modes.wished(self._paths)
        if wish is not None and wish.at_ns != self._wish_ns:
            self._wish_ns = wish.at_ns
            self._chosen = None if wish.mode is None else Chosen(mode=wish.mode, by="command")
            self._put_down()

    def ask(self) -> None:
        """Begin to find out which application has the focus; `current` will want to know."""
        if self._focus is not None:
            self._focus.ask()

    def current(self) -> Mode:
        """Return the mode for the utterance that is transformed now."""
        self.look()
        if self._focus is not None:
            try:
                window = self._focus.answer()
            except FocusUnknown as error:
                self._tell(str(error))
                self._rule, self._application = None, ""
            else:
                self._rule = next((rule for rule in self._rules if window and rule.fits(window)), None)
                self._application = window.names[0] if window else ""
                self._settle()
        return self._put_down()

    @property
    def application(self) -> str | None:
        """The one that had the focus when `current` looked; None if unknown, or if none is configured."""
        return self._application or None

    def spoken(self, mode: Mode) -> None:
        """Take up the mode that the utterance has chosen."""
        self._chosen = Chosen(mode=mode, by="voice")
        self._settle()
        self._put_down()

    def close(self) -> None:
        """Ask no more."""
        if self._focus is not None:
            self._focus.close()

    def _settle(self) -> None:
        """See what a choice was made for, and whether that is over."""
        here = self._rule.name if self._rule else _NOWHERE
        if self._chosen is None:
            return
        if not self._chosen.settled:
            self._chosen = msgspec.structs.replace(self._chosen, settled=True, rule=here)
        elif here not in (_NOWHERE, self._chosen.rule):
            self._chosen = None

    def _put_down(self) -> Mode:
        """Return the mode in force; tell it and keep it, if it has changed."""
        application = self._application
        if self._chosen is not None:
            state = ModeState(mode=self._chosen.mode, by=self._chosen.by, application=application)
        elif self._rule is not None:
            state = ModeState(mode=self._rule.mode, by="application", application=application)
        else:
            state = ModeState(mode=self._default, by="default", application=application)
        before, self._now = self._now, InForce(state=state, chosen=self._chosen, wish_ns=self._wish_ns)
        if before is None or state != before.state:
            self._publish(state)
        if self._now != before:
            try:
                modes.write(self._paths, self._now)
            except OSError as error:
                self._tell(f"it cannot be kept, and ends with this process: {error}")
        return state.mode

    def _tell(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            self._notice("warning", "mode", f"the mode may not be the one that is meant: {why}")


class Rule:
    """An entry of `[[transform.applications]]`, made ready."""

    def __init__(self, entry: ApplicationConfig) -> None:
        self.mode = entry.mode
        self.name = f"{entry.match}\n{entry.title}"
        self._match = re.compile(entry.match, re.IGNORECASE)
        self._title = re.compile(entry.title, re.IGNORECASE) if entry.title else None

    def fits(self, window: Window) -> bool:
        """Whether it is about this window."""
        if not any(self._match.fullmatch(name) for name in window.names):
            return False
        return self._title is None or self._title.search(window.title) is not None
