"""A child's side of the protocol: requests from standard input, answers to standard output.

Two things go wrong in every program that speaks on its standard output. A library prints (a progress bar, a warning of
native code), so that descriptor 1 is kept for us under another number, and what is printed goes where the warnings
go. And nobody listens while the model decodes, so that a thread of its own reads the requests: it finds the one that
cancels what is being done, and the end of the input, which is the end of the parent.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from sottovoce.models.bridge import wire
from sottovoce.models.bridge.audio import KINDS, AudioGone, fetch
from sottovoce.models.bridge.handler import Cancelled, Decode, Handler, Load, Refused


def serve(handler: Handler) -> int:
    """Answer until the parent says bye or closes its end; return the exit status, 0.

    Standard output belongs to the protocol from now on: `print` writes to standard error.
    """
    faulthandler.enable()
    with claim_output() as answers:
        _Server(handler, answers).run(sys.stdin.buffer)
    return 0


def claim_output() -> BinaryIO:
    """Return standard output for our use alone; what anybody else writes there goes to standard error from now on."""
    sys.stdout.flush()
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return output


class _Server:
    def __init__(self, handler: Handler, answers: BinaryIO) -> None:
        self._handler = handler
        self._answers = answers
        self._requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._cancel: dict[int, threading.Event] = {}  # of the decodes that have been read and not answered
        self._loaded = False

    def run(self, requests: BinaryIO) -> None:
        threading.Thread(target=self._read, args=(requests,), name="requests", daemon=True).start()
        answer: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "hello": self._hello,
            "load": self._load,
            "decode": self._decode,
            "unload": self._unload,
        }
        while (request := self._requests.get()) is not None:
            if request["type"] == "bye":
                self._say(request, {"type": "bye"})
                return
            known = answer.get(request["type"])
            if known is None:
                self._say(request, _error(wire.UNSUPPORTED, f"{request['type'][:40]!r} is nothing that can be asked"))
            else:
                self._say(request, known(request))

    def _read(self, requests: BinaryIO) -> None:
        for line in requests:
            try:
                request = wire.decode(line)
            except ValueError as error:
                # Who writes such a line is no parent of ours, and whose answer is whose could not be told any more.
                print(f"a request is {type(error).__name__}: it ends here", file=sys.stderr)  # noqa: T201
                break
            if request["type"] == "cancel":
                with self._lock:
                    found = self._cancel.get(request.get("target", -1))
                if found is not None:
                    found.set()
                continue
            if request["type"] == "decode":
                with self._lock:
                    self._cancel[request["id"]] = threading.Event()
            self._requests.put(request)
            if request["type"] == "bye":
                return
        with self._lock:
            for event in self._cancel.values():
                event.set()
        self._requests.put(None)

    def _say(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        line = wire.encode({**answer, "id": request["id"]})
        while line:
            line = line[self._answers.write(line) or 0 :]

    def _hello(self, request: dict[str, Any]) -> dict[str, Any]:
        if wire.VERSION not in request.get("protocols", ()):
            return _error(wire.UNSUPPORTED, f"this child speaks version {wire.VERSION} of the protocol")
        handler = self._handler
        return {
            "type": "hello",
            "protocol": wire.VERSION,
            "name": handler.name,
            "version": handler.version,
            "audio": list(KINDS),
            "cancel": handler.cancels,
        }

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        self._loaded = False
        began = time.perf_counter()
        try:
            self._handler.load(_only(Load, request))
        except Refused as error:
            return _error(wire.FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the parent is told
            traceback.print_exc()
            return _error(wire.FAILED, f"{type(error).__name__}: {error}")
        self._loaded = True
        handler = self._handler
        return {
            "type": "loaded",
            "device": handler.device,
            "version": handler.version,
            "load_s": round(time.perf_counter() - began, 4),
        }

    def _decode(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            cancel = self._cancel[request["id"]]
        try:
            if not self._loaded:
                return _error(wire.NOT_LOADED, "no model is loaded")
            samples = fetch(request.get("audio", {}))
            how = Decode(str(request.get("language", "")), tuple(request.get("hotwords", ())), cancel)
            began = time.perf_counter()
            how.check()
            heard = self._handler.decode(samples, how)
            return {"type": "result", **heard.message(), "decode_s": round(time.perf_counter() - began, 4)}
        except Cancelled:
            return _error(wire.CANCELLED, "nobody waits for it any more")
        except AudioGone as error:
            return _error(wire.AUDIO_GONE, str(error))
        except Refused as error:
            return _error(wire.FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - the child goes on; the next segment may be fine
            traceback.print_exc()
            return _error(wire.FAILED, _place(error))
        finally:
            with self._lock:
                del self._cancel[request["id"]]

    def _unload(self, _request: dict[str, Any]) -> dict[str, Any]:
        self._loaded = False
        self._handler.unload()
        return {"type": "unloaded"}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": message}


def _only(kind: type[Load], request: dict[str, Any]) -> Load:
    """Return the fields that this version knows; a later one may send more."""
    return kind(**{name: request[name] for name in kind.__dataclass_fields__ if name in request})


def _place(error: Exception) -> str:
    """Return what an exception is and where it came from, without its text, which may hold what was dictated."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {os.path.basename(last.filename)}, line {last.lineno}"  # noqa: PTH119 - no path
