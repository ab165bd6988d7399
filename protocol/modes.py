"""The mode in force: how the transform takes what is said, who decided it, and what a person wishes instead.

Two files in the runtime directory, each with one writer, so that neither undoes what the other has just written:

- the *wish* is `sottovoce mode`'s: a mode, or to go back to what the configuration says;
- what is *in force* is the transform stage's. It bears the wish that it knows, so a wish is taken up once, also by a
  stage that was restarted in between.

Both end with the service run: who starts it tomorrow would not expect the mode that was chosen yesterday. (The runtime
directory, and not the journal's memory: a command must not need the journal's lock to be told a word.)
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from sottovoce.protocol.messages import Mode, ModeState
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.whole import write_whole

_STAGE = "transform"  # files that begin with a stage's name are swept away when the service has ended


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was last asked for with `sottovoce mode`."""

    mode: Mode | None
    """None: what the configuration says."""
    at_ns: int
    """CLOCK_REALTIME; it only tells one wish from another."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A mode that a person has chosen, which goes before the configuration."""

    mode: Mode
    by: Literal["voice", "command"]
    settled: bool = False
    """Whether something was dictated since; only then is it known what it was chosen for."""
    rule: str = ""
    """The entry of `[[transform.applications]]` that applied then, "" for none. Another one ends the choice."""


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """What the transform stage goes by."""

    state: ModeState
    chosen: Chosen | None = None
    wish_ns: int = 0
    """`at_ns` of the newest wish that it knows; 0 for none."""


def wish(paths: Paths, mode: Mode | None) -> None:
    """Ask for a mode, or with None for what the configuration says.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(_wish_file(paths), msgspec.json.encode(Wish(mode=mode, at_ns=time.time_ns())))


def wished(paths: Paths) -> Wish | None:
    """Return what was last asked for, None if nothing was."""
    return _read(_wish_file(paths), Wish)


def signature(paths: Paths) -> tuple[int, int] | None:
    """Return what is another for another wish, None if there is none; cheap enough for each turn."""
    try:
        info = os.stat(_wish_file(paths))  # noqa: PTH116 - 2 us, and 5 with pathlib
    except OSError:
        return None
    return info.st_mtime_ns, info.st_ino


def write(paths: Paths, now: InForce) -> None:
    """Put down what is in force: whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(_file(paths), msgspec.json.encode(now))


def read(paths: Paths) -> InForce | None:
    """Return what is in force, None where no stage has put it down yet."""
    return _read(_file(paths), InForce)


def shown(paths: Paths, default: Mode) -> ModeState:
    """Return the mode of the next utterance as far as it is known now, a wish that is not taken up yet included.

    Args:
        paths: the service's paths.
        default: `[transform] mode`.
    """
    now, asked = read(paths), wished(paths)
    if asked is not None and (now is None or asked.at_ns != now.wish_ns):
        by: Literal["command", "default"] = "default" if asked.mode is None else "command"
        return ModeState(mode=asked.mode or default, by=by, application=now.state.application if now else "")
    return ModeState(mode=default, by="default", application="") if now is None else now.state


def forget(paths: Paths) -> None:
    """Begin anew with what the configuration says: at the start of a service."""
    for path in (_wish_file(paths), _file(paths)):
        path.unlink(missing_ok=True)


_S = TypeVar("_S", Wish, InForce)


def _read(path: Path, form: type[_S]) -> _S | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=form)
    except (OSError, msgspec.DecodeError):  # of another version; the next choice puts a sound one in its place
        return None


def _wish_file(paths: Paths) -> Path:
    return paths.runtime / f"{_STAGE}.wish"


def _file(paths: Paths) -> Path:
    return paths.runtime / f"{_STAGE}.mode"
