"""A child's command line: without arguments it serves; with `--once FILE` it recognises one sound file and ends."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sottovoce.models.bridge import wire
from sottovoce.models.bridge.audio import from_sound_file
from sottovoce.models.bridge.handler import Decode, Handler, Load, Refused
from sottovoce.models.bridge.serve import claim_output, serve

_FAILED, _NO_SOUND = 1, 4  # as of the command `sottovoce` (docs/operations.md)


def main(handler: Handler, arguments: Sequence[str] | None = None) -> None:
    """Serve, or recognise one file, as the arguments say; end the process with the exit status."""
    parser = argparse.ArgumentParser(
        description="A child program of the bridge (docs/bridge.md). Without --once it speaks the protocol."
    )
    parser.add_argument("--once", metavar="FILE", type=Path, help="recognise this sound file and end")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--times", action="store_true", help="with --json: load_s and decode_s, too")
    parser.add_argument("--directory", default="", help="where the model's files are")
    parser.add_argument("--model", default="", help="its name in the catalogue")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--provider", default="auto", choices=("auto", "cpu", "cuda", "tensorrt"))
    parser.add_argument("--language", default="", help="ISO 639-1")
    parser.add_argument("--hotword", action="append", default=[], metavar="WORD")
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="as options in the catalogue"
    )
    given = parser.parse_args(arguments)
    if given.once is None:
        sys.exit(serve(handler))
    options = {}
    for option in given.option:
        key, equals, value = option.partition("=")
        if not equals:
            parser.error(f"--option {option}: expected KEY=VALUE")
        options[key] = _scalar(value)
    load = Load(given.model, given.directory, given.threads, given.provider, 0, options)
    decode = Decode(given.language, tuple(given.hotword))
    sys.exit(_once(handler, given.once, load, decode, as_json=given.json, times=given.times))


def _once(handler: Handler, path: Path, load: Load, decode: Decode, *, as_json: bool, times: bool) -> int:
    output = claim_output()
    try:
        samples = from_sound_file(path)
    except Refused as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command line
        return _NO_SOUND
    try:
        began = time.perf_counter()
        handler.load(load)
        loaded = time.perf_counter()
        result = handler.decode(samples, decode).message()
        done = time.perf_counter()
        handler.unload()
    except Refused as error:
        print(error, file=sys.stderr)  # noqa: T201
        return _FAILED
    result["audio_s"] = round(len(samples) / wire.SAMPLE_RATE, 4)
    if times:
        result["load_s"], result["decode_s"] = round(loaded - began, 4), round(done - loaded, 4)
    text = json.dumps(result, sort_keys=True, ensure_ascii=False) if as_json else result["text"]
    with output:
        output.write(f"{text}\n".encode())
    return 0


def _scalar(value: str) -> str | int | float | bool:
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if isinstance(read, (str, int, float, bool)) else value
