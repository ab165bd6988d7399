"""The entry point: the verbs that sit behind a key are answered before the command line's library is loaded.

Loading Typer costs 60-110 ms (it brings pydantic along where that is installed), more than all the rest of `toggle`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from sottovoce.ops.exceptions import EXIT_FAILED, exit_code

HOT = ("toggle", "start", "stop", "cancel")
EDGES = (["ptt", "down"], ["ptt", "up"])


def control(verb: str, *, as_json: bool) -> None:
    """Ask the conductor for one of the HOT verbs and print the state it answers with.

    Raises:
        ControlError: nobody answers, or it is refused.
    """
    from sottovoce.protocol.control import request
    from sottovoce.protocol.runtime import control_address

    _show(request(control_address(), verb), as_json=as_json)


def edge(name: str, *, as_json: bool) -> None:
    """Tell the conductor that the push-to-talk key went "down" or "up", and print the state it answers with.

    Raises:
        ControlError: nobody answers, or it is refused.
    """
    from sottovoce.ops.edge import send

    _show(send(name), as_json=as_json)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(result) if as_json else result["state"], flush=True)


def _behind_a_key(arguments: list[str]) -> Callable[[], None] | None:
    """Return what does the bidding of these arguments, None where they are not those that a key is bound to."""
    as_json = arguments[-1:] == ["--json"]
    words = arguments[:-1] if as_json else arguments
    if len(words) == 1 and words[0] in HOT:
        return partial(control, words[0], as_json=as_json)
    if words in EDGES:
        return partial(edge, words[1], as_json=as_json)
    return None


def main() -> NoReturn:
    """Run the command line; every expected failure is one line and a documented exit code."""
    try:
        if bidding := _behind_a_key(sys.argv[1:]):
            gc.disable()  # it would run while zmq is imported, for 2 ms of 46, and find nothing
            bidding()
            # The answer is here and written out, so nothing is lost; to take Python and zmq apart in order takes 8 ms.
            os._exit(0)
        from sottovoce.ops.cli import app

        app(standalone_mode=True)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, and Python would complain about that at exit
        sys.exit(EXIT_FAILED)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        print(f"sottovoce: {error}", file=sys.stderr)
        sys.exit(code)
    sys.exit(0)


if __name__ == "__main__":
    main()
