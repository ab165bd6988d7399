"""Memory pressure: what is given up when memory runs short, in which order, and when it comes back.

Two levels, each of the fullest of what is looked at (the machine's memory or the control group's, graphics cards):

- high: the draft's model is taken out of memory. What is typed does not need it.
- critical: what the kernel keeps of model files that nobody uses is dropped, the recognisers give back what they have
  freed, and the person is told.

The level is a state, a file in the runtime directory that the warden keeps, and that a stage looks at in each turn; so
it does not matter who was restarted meanwhile. It rises at once. It falls where memory has been below the level, by a
margin and by as much as the draft will take again, for a minute on end: else a draft's model would come and go.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Literal

import msgspec

from sottovoce.models import ModelError, Store, cache_root
from sottovoce.models.devices import from_nvml
from sottovoce.models.footprint import trim, uncache
from sottovoce.models.need import MEGABYTE, need
from sottovoce.models.ram import read_ram
from sottovoce.protocol.choice import settled
from sottovoce.protocol.config import Config
from sottovoce.protocol.exceptions import ProtocolError
from sottovoce.protocol.paths import Paths

_MARGIN = 5.0
_REST_S = 60.0
_TRIM_EVERY_S = 30.0
_CARDS_EVERY = 5
"""Looks at memory for one at the cards, which takes 10 ms where the driver is not otherwise in use."""


class Level(IntEnum):
    """How short memory is."""

    CALM = 0
    HIGH = 1
    CRITICAL = 2


class Pressure(msgspec.Struct, frozen=True):
    """What the warden has found."""

    level: Level = Level.CALM
    of: Literal["memory", "the graphics card's memory"] = "memory"
    percent: float = 0.0
    """How full it was when the level began."""


class Policy:
    """From percentages to a level. Pure: it knows no clock and no machine.

    Args:
        high: percent from which the level is high.
        critical: percent from which it is critical.
        margin: percent that it has to be below a level for that to end.
        level: to begin with.
    """

    def __init__(self, high: float, critical: float, *, margin: float = _MARGIN, level: Level = Level.CALM) -> None:
        self._high, self._critical, self._margin = high, critical, margin
        self.level = level
        self._below_since: float | None = None

    def look(self, percent: float, now: float) -> Level:
        """Take in a sample and return the level.

        Args:
            percent: how full it is.
            now: seconds, of a clock that only grows.
        """
        reached = self._of(percent)
        if reached >= self.level:
            self.level, self._below_since = reached, None
            return self.level
        bearable = self._of(percent + self._margin)
        if bearable >= self.level:
            self._below_since = None
        elif self._below_since is None:
            self._below_since = now
        elif now - self._below_since >= _REST_S:
            self.level, self._below_since = bearable, None
        return self.level

    def _of(self, percent: float) -> Level:
        if percent >= self._critical:
            return Level.CRITICAL
        return Level.HIGH if percent >= self._high else Level.CALM


class PressureWatch:
    """The warden's part: looks at memory, keeps the state, acts, and says what the person is to be told.

    Args:
        paths: the service's paths.
        config: the configuration.
    """

    def __init__(self, paths: Paths, config: Config) -> None:
        self._paths, self._config, self._limits = paths, config, config.memory
        before, limits = current(paths), config.memory
        margin = _MARGIN + self._share()
        on_card = before.of != "memory"
        self._ram = Policy(
            limits.ram_high, limits.ram_critical, margin=margin, level=Level.CALM if on_card else before.level
        )
        self._vram = Policy(limits.vram_high, limits.vram_critical, level=before.level if on_card else Level.CALM)
        self._has_cards = bool(from_nvml())
        self._looks, self._due, self._card_percent = 0, 0.0, 0.0
        self._told = before

    def look(self) -> Iterator[tuple[Literal["info", "warning"], str]]:
        """Look, if it is time; yield what the person is to be told, with its level."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._limits.check_every
        found = self._measure(now)
        if found.level == self._told.level:
            return
        before, self._told = self._told.level, found
        self._keep(found)
        yield self._tell(found, before)

    def close(self) -> None:
        """Take the state back: there is nobody who would."""
        forget(self._paths)

    def _measure(self, now: float) -> Pressure:
        percent = read_ram().used_percent
        ram = Pressure(self._ram.look(percent, now), "memory", percent)
        if self._has_cards and self._looks % _CARDS_EVERY == 0:
            self._card_percent = max((card.used_percent or 0.0 for card in from_nvml()), default=0.0)
        self._looks += 1
        card = Pressure(self._vram.look(self._card_percent, now), "the graphics card's memory", self._card_percent)
        return card if card.level > ram.level else ram

    def _tell(self, found: Pressure, before: Level) -> tuple[Literal["info", "warning"], str]:
        full = f"{found.of} is {found.percent:.0f} % full"
        draft = self._config.stt.draft.enabled
        if found.level == Level.CALM:
            return "info", f"{full}: there is room again{', and drafts are shown again' if draft else ''}"
        hidden = "drafts are not shown until there is room again; what is said is typed as before" if draft else (
            "what is said is typed as before"
        )  # fmt: skip
        if found.level == Level.HIGH:
            return "info" if before == Level.CRITICAL else "warning", f"{full}: {hidden}"
        dropped = uncache(self._unused())
        return "warning", (
            f"{full}, and the kernel may soon end programs: {hidden}. {dropped / MEGABYTE:,.0f} MB of models that "
            "nobody uses were dropped from the file cache; close what you do not need, or choose a smaller model "
            "(`sottovoce models list`)"
        )

    def _share(self) -> float:
        """Return the percent of all memory that the draft's model will take when it comes back."""
        if not self._config.stt.draft.enabled:
            return 0.0
        try:
            store = Store()
            model = settled(self._paths, self._config).stt.draft.model
            return 100.0 * MEGABYTE * need(store.catalogue[model], store).megabytes / read_ram().total
        except (ModelError, ProtocolError, OSError):
            return 0.0  # the stage itself tells what is wrong with its model

    def _unused(self) -> Iterator[Path]:
        """Yield the files of models that no role has; nothing that is wrong with these is to end the warden."""
        try:
            stt = settled(self._paths, self._config).stt
        except ProtocolError:
            stt = self._config.stt
        used = {stt.final.model, stt.final.fallback, stt.draft.model}
        with contextlib.suppress(OSError):  # removed meanwhile
            for directory in (cache_root() / "models").iterdir():
                if directory.name not in used:
                    yield from (path for path in directory.rglob("*") if path.is_file())

    def _keep(self, found: Pressure) -> None:
        if found.level == Level.CALM:
            forget(self._paths)
            return
        path = _file(self._paths)
        partly = path.with_suffix(".partly")
        with contextlib.suppress(OSError):  # a full tmpfs; it is told of by those who need it, and tried again
            partly.write_bytes(msgspec.json.encode(found))
            partly.replace(path)  # whole or not there


class Relief:
    """A recogniser's part: gives back freed memory while the level is critical. Call `turn` when nothing is decoded."""

    def __init__(self, paths: Paths) -> None:
        self._paths, self._due = paths, 0.0

    def turn(self) -> Level:
        """Look at the level, give back what is free if it is critical and the last time is long ago; return it."""
        level = current(self._paths).level
        if level == Level.CRITICAL and time.monotonic() >= self._due:
            self._due = time.monotonic() + _TRIM_EVERY_S
            trim()
        return level


def current(paths: Paths) -> Pressure:
    """Return what the warden has found; calm where it has found nothing, or does not run. Takes 20 us."""
    try:
        return msgspec.json.decode(_file(paths).read_bytes(), type=Pressure)
    except (OSError, msgspec.DecodeError):
        return Pressure()


def forget(paths: Paths) -> None:
    """Take the state back."""
    with contextlib.suppress(OSError):
        _file(paths).unlink(missing_ok=True)


def _file(paths: Paths) -> Path:
    return paths.runtime / "memory.pressure"
