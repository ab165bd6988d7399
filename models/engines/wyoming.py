"""A server that speaks Wyoming, the protocol of Home Assistant's voice services (wyoming-faster-whisper and others).

An event is a line of JSON, `{"type", "version", "data_length", "payload_length"}`, and after it so many bytes of JSON,
its data, and so many bytes of payload. We say transcribe, audio-start, audio-chunk..., audio-stop; the server says
transcript. There is neither encryption nor a token, by design.

The `wyoming` package itself is small and well kept, and the tests run its server against this. Its reader was refused:
it takes a malformed event for the end of the connection, so that garbage could not be told from a server that went
away, and reads as many bytes as the other side announces.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.models.bridge import languages
from sottovoce.models.catalogue import Entry
from sottovoce.models.engines import elsewhere
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result
from sottovoce.models.engines.server import OPTIONS, Server
from sottovoce.models.exceptions import EngineFailed

_OPTIONS = {"model": str, "insecure": bool, **OPTIONS}
_PORT: Final = 10_300
"""Of wyoming-faster-whisper."""
_CHUNK_BYTES = 2 * 1024 * 8
"""Half a second. A server converts chunk by chunk; Home Assistant's are of 1,024 samples."""
_HEADER_LIMIT = 64 << 10
_PART_LIMIT = 1 << 20
_Length = Annotated[int, msgspec.Meta(ge=0, le=_PART_LIMIT)]


class _Malformed(Exception):
    """The server says something that is not Wyoming; the text quotes none of it."""


class _Header(msgspec.Struct, frozen=True):
    type: str
    data: dict[str, Any] | None = None
    data_length: _Length | None = None
    payload_length: _Length | None = None


class _Transcript(msgspec.Struct, frozen=True):
    text: str
    language: str | None = None


class Wyoming(Server):
    """The engine `remote` for `wyoming://host:port`.

    Args:
        entry: its `url` is the server. Options: `model` (the name there; else the server's own choice), `insecure`
            (allows another machine than this), `connect_timeout_s`, `attempts`.
        directory: not used.
        settings: `timeout_s` is the longest decode, all attempts together.

    Raises:
        EngineFailed: the entry is wrong. The server is not asked for anything.
    """

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:  # noqa: ARG002
        elsewhere.require_known(entry, _OPTIONS)
        url = elsewhere.address(entry, ("wyoming",))
        elsewhere.require_closed(entry, url, entry.options)
        self._host, self._port = url.hostname or "", url.port or _PORT
        super().__init__(entry, settings)

    def warm_up(self) -> None:
        """Ask the server to describe itself.

        Raises:
            EngineFailed: it cannot be reached, or does not speak Wyoming.
        """
        self._ask([_event("describe")], "info", "connecting")

    def _recognise(self, samples: NDArray[np.float32], audio_s: float) -> Result:
        doing = f"decoding {audio_s:.2f} s"
        data = self._ask(self._request(samples), "transcript", doing)
        try:
            transcript = msgspec.convert(data, _Transcript)
        except msgspec.ValidationError as error:
            raise EngineFailed(
                f"model {self.name}: {doing} failed: {self._where} sent a transcript without text"
            ) from (error)
        return Result(text=transcript.text.strip(), language=languages.code(transcript.language or ""))

    @property
    def _where(self) -> str:
        return f"{self._host}:{self._port}"

    def _request(self, samples: NDArray[np.float32]) -> list[bytes]:
        wanted: dict[str, Any] = {}
        if model := self._entry.options.get("model"):
            wanted["name"] = model
        if self._settings.language:
            wanted["language"] = self._settings.language
        if words := elsewhere.vocabulary(self._entry, self._settings):
            wanted["transcript_terms"] = list(words)
        form = {"rate": SAMPLE_RATE, "width": 2, "channels": 1}
        audio = elsewhere.pcm16(samples)
        return [
            _event("transcribe", wanted),
            _event("audio-start", {**form, "timestamp": 0}),
            *(
                _event(
                    "audio-chunk",
                    {**form, "timestamp": at * 1000 // (2 * SAMPLE_RATE)},
                    audio[at : at + _CHUNK_BYTES],
                )
                for at in range(0, len(audio), _CHUNK_BYTES)
            ),
            _event("audio-stop", {"timestamp": len(audio) * 1000 // (2 * SAMPLE_RATE)}),
        ]

    def _ask(self, events: list[bytes], wanted: str, doing: str) -> dict[str, Any]:
        why = f"model {self.name}: {doing} failed: {self._where}"
        try:
            return self._wait(lambda: self._insist(lambda: self._once(events, wanted), _is_worth_another))
        except TimeoutError as error:
            raise EngineFailed(f"{why} did not answer within {self._settings.timeout_s:.1f} s") from error
        except _Malformed as error:
            raise EngineFailed(f"{why} {error}") from error
        except OSError as error:
            raise EngineFailed(f"{why} cannot be reached: {error.strerror or error}") from error
        except EOFError as error:
            raise EngineFailed(f"{why} closed the connection before it answered") from error

    async def _once(self, events: list[bytes], wanted: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=_HEADER_LIMIT)
        except TimeoutError as error:  # not the one of the whole
            raise ConnectionError(f"no connection within {self._connect_timeout_s:.1f} s") from error
        try:
            # What the server says is read while we write: one that refuses at once may hang up before we are done.
            writing = asyncio.ensure_future(_write(writer, events))
            try:
                return await self._listen(reader, wanted)
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        finally:
            writer.transport.abort()  # nothing more is to be said, and nobody waits for a server that does not read

    async def _listen(self, reader: asyncio.StreamReader, wanted: str) -> dict[str, Any]:
        while True:
            kind, data = await _read(reader)
            if kind == wanted:
                return data
            if kind == "error":
                private = self._settings.hotwords
                told = [elsewhere.reason(str(data[key]), private)[:60] for key in ("code",) if data.get(key)]
                raise _Malformed("says that it failed" + "".join(f" ({part})" for part in told if part))
            # Others are of no use to us: an `info` nobody asked for, parts of a transcript that comes whole as well.


def _is_worth_another(error: Exception) -> bool:
    """Whether another attempt may go better: the connection broke, or there was none."""
    return isinstance(error, OSError | EOFError)


async def _write(writer: asyncio.StreamWriter, events: list[bytes]) -> None:
    for event in events:
        writer.write(event)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    """Return type and data of the next event; its payload is passed over.

    Raises:
        EOFError: the connection ended, in the midst of an event or before.
        _Malformed: it is none, or too large.
    """
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise _Malformed(f"sent more than {_HEADER_LIMIT:,} bytes without the end of a line") from error
    try:
        header = msgspec.json.decode(line, type=_Header)
        data = header.data or {}
        if header.data_length:
            data = {**data, **msgspec.json.decode(await reader.readexactly(header.data_length), type=dict[str, Any])}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _Malformed("sent something that is no event of Wyoming") from error
    await reader.readexactly(header.payload_length or 0)
    return header.type, data


def _event(kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    header: dict[str, Any] = {"type": kind}
    body = json.dumps(data, ensure_ascii=False).encode() if data else b""
    if body:
        header["data_length"] = len(body)
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps(header).encode() + b"\n" + body + payload
