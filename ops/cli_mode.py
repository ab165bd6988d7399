"""`sottovoce mode`: how what is said is taken (as prose, as code, letter by letter), and another way."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Final, get_args

import typer

from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.protocol.messages import Mode
    from sottovoce.protocol.paths import Paths

_WHY: Final = {
    "voice": "chosen by voice",
    "command": "chosen with `sottovoce mode`",
    "application": "for {application}, by [[transform.applications]]",
    "default": "the default, [transform] mode",
}


def mode(
    name: Annotated[str | None, typer.Argument(help="dictation, code, verbatim, spelling or command.")] = None,
    default: Annotated[bool, typer.Option("--default", help="What the configuration says, by application.")] = False,
    focused: Annotated[bool, typer.Option("--focused", help="Show what the focused application is called.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the mode and what decided it, or take another one from the next utterance on."""
    from sottovoce.protocol import modes
    from sottovoce.protocol.control import request
    from sottovoce.protocol.paths import Paths

    if (name is not None) + default + focused > 1:
        raise typer.BadParameter("a mode, --default or --focused, and not two of them", param_hint="NAME")
    if focused:
        _show_focused(as_json=as_json)
        return
    paths = Paths.from_environment()
    if name is not None or default:
        wanted = None if name is None else _known(name)
        request(paths.control, "status")  # a service that starts later would not know of it
        modes.wish(paths, wanted)
    now = in_force(paths)
    if as_json:
        print_json(now)
    else:
        print(f"{now['mode']}: {_WHY[now['by']].format(**now)}")


def in_force(paths: Paths) -> dict[str, str]:
    """Return the mode of the next utterance as far as it is known now: `mode`, `by`, `application`, `default`.

    Raises:
        ConfigError: the configuration is wrong.
    """
    from sottovoce.protocol import modes
    from sottovoce.protocol.config import load_config

    default = load_config(paths.config).transform.mode
    state = modes.shown(paths, default)
    return {"mode": state.mode, "by": state.by, "application": state.application, "default": default}


def _known(name: str) -> Mode:
    """Return the mode of this name.

    Raises:
        BadParameter: there is none.
    """
    from sottovoce.protocol.messages import Mode

    known: tuple[Mode, ...] = get_args(Mode)
    for one in known:
        if one == name.lower():
            return one
    near = get_close_matches(name.lower(), known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    raise typer.BadParameter(f"{name!r} is not a mode; {hint}", param_hint="NAME")


def _show_focused(*, as_json: bool) -> None:
    from sottovoce.actors.focus import FocusUnknown, focused

    try:
        window = focused(os.environ)
    except FocusUnknown as error:
        raise OpsError(str(error)) from error
    if as_json:
        print_json({"names": list(window.names) if window else [], "title": window.title if window else ""})
    elif window is None:
        print("no window has the focus")
    else:
        print(f"{' or '.join(window.names)}: {window.title}")
