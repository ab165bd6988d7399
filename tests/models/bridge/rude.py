"""A child without manners, run by tests: `python rude.py HABIT`. It speaks the protocol until its habit shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

habit = sys.argv[1]
SECRET = "my dictated password is swordfish"  # noqa: S105


def say(**message: object) -> None:
    """Write one message."""
    os.write(1, json.dumps(message).encode() + b"\n")


def live_on() -> None:
    """Do nothing, for long, whatever happens."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def misbehave(number: int) -> None:  # noqa: PLR0912 - a branch a habit
    """Answer a decode as the habit is."""
    result = {"id": number, "type": "result", "text": "fine"}
    if habit == "garbage":
        os.write(1, f"Loading checkpoint: {SECRET}\n".encode())
    elif habit == "not utf-8":
        os.write(1, b'{"id":3,"type":"result","text":"\xff"}\n')
    elif habit == "not an object":
        os.write(1, b"[1, 2]\n")
    elif habit == "unknown type":
        say(id=number, type=SECRET, text="")
    elif habit == "wrong field":
        say(id=number, type="result", text=["a list"])
    elif habit == "not a number":
        os.write(1, json.dumps(result | {"log_prob": float("nan")}).encode() + b"\n")
    elif habit == "wrong id":
        say(**result | {"id": number + 41})
    elif habit == "partial":
        os.write(1, b'{"id": 3, "type": "res')
        sys.exit(3)
    elif habit == "partial and silent":
        os.write(1, b'{"id": 3, "type": "res')
        live_on()
    elif habit == "oversized":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        while True:
            os.write(1, b"x" * 65_536)
    elif habit == "flood":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        while True:
            os.write(1, b"{}\n" * 1000)
    elif habit == "twice":
        say(**result)
        say(**result)
    elif habit == "closes stdout":
        os.close(1)
        live_on()
    elif habit == "hangs":
        for asked in sys.argv[2:]:
            Path(asked).touch()
        live_on()
    elif habit == "crashes":
        sys.stderr.write(f"decoding {SECRET}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    elif habit == "raises":
        raise ValueError(SECRET)
    elif habit == "crashes once" and not Path(sys.argv[2]).exists():
        Path(sys.argv[2]).touch()
        os._exit(9)
    elif habit == "grandchildren":
        subprocess.Popen(["sleep", "1000"])
        subprocess.Popen(["setsid", "sleep", "1000"])
        say(**result)
    else:
        say(**result)


if habit == "banner":
    os.write(1, b"Welcome!\n")
if habit == "silent":
    live_on()
if habit == "dies at once":
    sys.exit("no such library")
for line in sys.stdin:
    request = json.loads(line)
    match request["type"]:
        case "hello":
            say(id=request["id"], type="hello", protocol=2 if habit == "version" else 1, audio=["file"])
        case "load":
            sys.stderr.write("loading the model\n")
            sys.stderr.flush()
            say(id=request["id"], type="loaded")
        case "decode":
            misbehave(request["id"])
        case "bye" if habit == "stays":
            live_on()
        case "bye":
            say(id=request["id"], type="bye")
            sys.exit()
if habit == "stays":
    live_on()
