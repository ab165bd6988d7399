"""A server of the package `wyoming`, which answers as a test wants it to."""

from __future__ import annotations

import asyncio
import socket
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any


class Server:
    """The package's server, in a thread: it answers each stream with `reply`, and remembers what it heard."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the package imports audioop, which is to go
            from wyoming.asr import Transcribe, Transcript
            from wyoming.audio import AudioChunk, AudioStart, AudioStop
            from wyoming.error import Error
            from wyoming.event import Event
            from wyoming.info import Describe, Info
            from wyoming.server import AsyncEventHandler, AsyncTcpServer

        self.transcribe: Any = None
        self.start: Any = None
        self.audio = b""
        self.timestamps: list[int] = []
        self.reply: list[Event] = [Transcript(" Hello, world. ", language="de").event()]
        self.recognise: Callable[[bytes], str] | None = None
        """What makes the text of 16-bit samples, if not the test says what it is."""
        self.connections = 0
        self.Error, self.Transcript, self.Event = Error, Transcript, Event
        outer = self

        class Handler(AsyncEventHandler):
            async def handle_event(self, event: Event) -> bool:
                if Describe.is_type(event.type):
                    await self.write_event(Info().event())
                elif Transcribe.is_type(event.type):
                    outer.transcribe, outer.audio = Transcribe.from_event(event), b""
                    outer.connections += 1
                elif AudioStart.is_type(event.type):
                    outer.start = AudioStart.from_event(event)
                elif AudioChunk.is_type(event.type):
                    chunk = AudioChunk.from_event(event)
                    outer.audio += chunk.audio
                    outer.timestamps.append(chunk.timestamp)
                elif AudioStop.is_type(event.type):
                    if outer.recognise is not None:
                        text = await asyncio.get_running_loop().run_in_executor(None, outer.recognise, outer.audio)
                        outer.reply = [Transcript(text).event()]
                    for answer in outer.reply:
                        await self.write_event(answer)
                return True

        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self._server = AsyncTcpServer("127.0.0.1", self.port)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(Handler,))
        self._thread.start()
        self._ready.wait(10)

    def _run(self, handler: Any) -> None:
        async def serve() -> None:
            await self._server.start(partial(handler))
            self._ready.set()
            await self._stop.wait()
            await self._server.stop()

        self._stop = asyncio.Event()
        self._loop.run_until_complete(serve())
        self._loop.close()

    def close(self) -> None:
        """Stop it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
