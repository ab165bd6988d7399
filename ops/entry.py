"""The entry point: the verbs that sit behind a key are answered before the command line's library is loaded.

Loading Typer costs 60-110 ms (it brings pydantic along where that is installed), more than all the rest of `toggle`.
"""

from __future__ import annotations

import json
import sys
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
    from sottovoce.protocol.paths import Paths

    _show(request(Paths.from_environment().control, verb), as_json=as_json)


def edge(name: str, *, as_json: bool) -> None:
    """Tell the conductor that the push-to-talk key went "down" or "up", and print the state it answers with.

    Raises:
        ControlError: nobody answers, or it is refused.
    """
    from sottovoce.ops.edge import send

    _show(send(name), as_json=as_json)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(result) if as_json else result["state"])


def main() -> NoReturn:
    """Run the command line; every expected failure is one line and a documented exit code."""
    arguments = sys.argv[1:]
    try:
        if arguments and arguments[0] in HOT and arguments[1:] in ([], ["--json"]):
            control(arguments[0], as_json=len(arguments) == 2)
        elif arguments[:2] in EDGES and arguments[2:] in ([], ["--json"]):
            edge(arguments[1], as_json=len(arguments) == 3)
        else:
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
