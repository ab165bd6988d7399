"""Choose the backends and try them in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sottovoce.actors.inject.base import Backend, Delivery, Outcome
from sottovoce.actors.inject.stream import FileBackend, StdoutBackend
from sottovoce.actors.inject.wtype import SETTLE_MS, WtypeBackend
from sottovoce.actors.inject.xdotool import DELAY_MS, XdotoolBackend

NAMES: Final = ("stdout", "file", "wtype", "xdotool")
"""The backends there are; `choose` takes "auto" besides."""


class Chain:
    """Backends in the order they are tried."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self.backends = tuple(backends)
        self._last: Backend | None = None
        """The one that typed the text before."""

    def type(self, text: str, *, mended: str = "") -> Delivery:
        """Deliver the text by the first backend that does not prove it typed nothing; block until that is done.

        The outcome is `NOTHING_TYPED` only if that holds for all of them; the detail then says why for each. `mended`
        is for the one that typed the text before, as in `Backend.type`.
        """
        reasons = []
        for backend in self.backends:
            if why := backend.available():
                delivery = Delivery(Outcome.NOTHING_TYPED, backend.name, why)
            else:
                delivery = backend.type(text, mended=mended if backend is self._last else "")
            if delivery.outcome is not Outcome.NOTHING_TYPED:
                self._last = backend if delivery.outcome is Outcome.TYPED else None
                return delivery
            reasons.append(f"{delivery.backend}: {delivery.detail}")
        return Delivery(Outcome.NOTHING_TYPED, self.backends[-1].name, "; ".join(reasons))

    def take_back(self, text: str, name: str, place: str) -> Delivery:
        """Take back what the backend of this name has typed, as in `Backend.take_back`."""
        self._last = None
        backend = self._named(name)
        if backend is None:
            return Delivery(Outcome.NOTHING_TYPED, name, f"{name} is not used any more")
        return backend.take_back(text, place)

    def give_back(self, text: str, name: str, place: str) -> Delivery:
        """Type a text by the backend of this name if the cursor is at `place` yet."""
        self._last = None
        backend = self._named(name)
        if backend is None:
            return Delivery(Outcome.NOTHING_TYPED, name, f"{name} is not used any more")
        if (why := backend.elsewhere(place)) is not None:
            return Delivery(Outcome.NOTHING_TYPED, name, why)
        return backend.type(text)

    def press(self, keys: str) -> Delivery:
        """Press keys by the first backend that does not prove that it pressed nothing, as in `type`."""
        self._last = None
        reasons = []
        for backend in self.backends:
            delivery = backend.press(keys)
            if delivery.outcome is not Outcome.NOTHING_TYPED:
                return delivery
            reasons.append(f"{delivery.backend}: {delivery.detail}")
        return Delivery(Outcome.NOTHING_TYPED, self.backends[-1].name, "; ".join(reasons))

    def _named(self, name: str) -> Backend | None:
        return next((backend for backend in self.backends if backend.name == name), None)

    def describe(self) -> str:
        """Return the backends in order, each one that is not usable now with the reason."""
        reasons = ((backend.name, backend.available()) for backend in self.backends)
        return ", ".join(f"{name} ({why})" if why else name for name, why in reasons)

    def close(self) -> None:
        """Close all backends."""
        for backend in self.backends:
            backend.close()


def choose(
    names: Sequence[str] = ("auto",),
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | str | None = None,
    stdout: int = 1,
    wtype_settle_ms: int = SETTLE_MS,
    xdotool_delay_ms: int = DELAY_MS,
) -> Chain:
    """Return the chain of the backends `names`, in that order.

    "auto" stands for the one that fits the session of `environ` (default: this process's): `wtype` under Wayland,
    `xdotool` otherwise. Never both: under Wayland xdotool would type into XWayland windows only and report success.

    `file` is the path that `file` appends to, `stdout` the descriptor that `stdout` writes to. Raises ValueError for an
    unknown name or for no name; that a backend is not usable now raises nothing, since a session can start later than
    the service.
    """
    environ = os.environ if environ is None else environ
    make: dict[str, Callable[[], Backend]] = {
        "stdout": lambda: StdoutBackend(stdout),
        "file": lambda: FileBackend(file),
        "wtype": lambda: WtypeBackend(environ, settle_ms=wtype_settle_ms),
        "xdotool": lambda: XdotoolBackend(environ, delay_ms=xdotool_delay_ms),
    }
    auto = "wtype" if environ.get("WAYLAND_DISPLAY") else "xdotool"
    wanted = list(dict.fromkeys(auto if name == "auto" else name for name in names))
    if not wanted:
        raise ValueError(f"no injection backend is named: name one or more of auto, {', '.join(NAMES)}")
    for name in wanted:
        if name not in make:
            raise ValueError(f"there is no injection backend {name!r}: name one of auto, {', '.join(NAMES)}")
    return Chain([make[name]() for name in wanted])
