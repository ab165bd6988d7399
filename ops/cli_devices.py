"""`sottovoce devices` and `sottovoce mic`: which inputs there are, and how loud the chosen one is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from collections.abc import Generator

    from sottovoce.actors.capture.level import Level


def devices(as_json: JsonFlag = False) -> None:
    """List the inputs; a star marks the one that is recorded."""
    import msgspec

    from sottovoce.ops.devices import as_line, inputs
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    config = load_config(Paths.from_environment().config).capture
    found = inputs(config)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        for device in found:
            print(as_line(device))
    if not found:
        print("there is no input: plug a microphone in, or start the sound server", file=sys.stderr)
    elif not any(device.chosen for device in found):
        print(f"[capture] device = {config.device!r} is none of them", file=sys.stderr)


def mic(
    seconds: Annotated[float, typer.Option("--seconds", "-s", min=0.1, help="How long; by default until ^C.")] = 1e9,
    as_json: JsonFlag = False,
) -> None:
    """Show how loud the microphone is, and whether it is silent or clipping. Nothing is kept."""
    import time

    import msgspec

    from sottovoce.ops.meter import Judge, Meter, levels_of_device, levels_of_service
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.control import request
    from sottovoce.protocol.exceptions import ControlError
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    try:
        status = request(paths.control, "status")
        recording = status["state"] == "recording" and status["source"] == "microphone"
    except ControlError:
        recording = False
    judge, meter, began = Judge(), Meter(), time.monotonic()
    config = load_config(paths.config).capture
    heard: Generator[Level | None, None, None] = levels_of_service(paths) if recording else levels_of_device(config)
    try:
        for level in heard:
            if (t := time.monotonic() - began) > seconds:
                break
            if level is None:
                continue
            reading = judge(round(t, 2), level)
            if as_json:
                print(msgspec.json.encode(reading).decode(), flush=True)
            else:
                meter.show(reading)
    except KeyboardInterrupt:
        print()
    finally:
        heard.close()
