"""What is fuzzed: one function a decoder, which takes any bytes and must return.

A decoder keeps its word if it returns or raises its documented error. Anything else comes out of the target: another
exception, or a crash. Who calls a target watches time and memory.

Files that bear the boot id or are too large for a corpus (ring, counters page, journal) are made here anew, and the
input says what is changed in them: see `patched`.
"""

from __future__ import annotations

import atexit
import itertools
import json
import shutil
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sottovoce.actors.audiofile import AudioFileError, blocks, info
from sottovoce.actors.sources import dump_source, parse_source
from sottovoce.models import archive as unpack
from sottovoce.models import catalogue, derive
from sottovoce.models.exceptions import CatalogueInvalid, DownloadFailed
from sottovoce.protocol import control
from sottovoce.protocol.config import load_config
from sottovoce.protocol.database import set_aside_damaged
from sottovoce.protocol.exceptions import ConfigError, ControlError, JournalError, MessageError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Draft, TextReady, decode, encode
from sottovoce.shm import CountersPage, CountersView, RingReader, RingWriter, ShmError

MOST_BLOCKS = 2_000  # a minute of audio: a few bytes may well be a correct file of some hours


@cache
def directory() -> Path:
    """Return a private folder in memory for the files that are fuzzed; it goes with the process."""
    path = Path(tempfile.mkdtemp(prefix="sv-fuzz-", dir="/dev/shm"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def patched(base: bytes, data: bytes) -> bytes:
    """Return `base` with the changes that `data` lists: (offset u24, length u8, bytes), each; length 255 cuts it off.

    Or, as `s/old/new`, with one string for another, wherever that stands: offsets move with each change of a schema.
    """
    if data.startswith(b"s/") and data.count(b"/") == 2:
        return base.replace(*data.split(b"/")[1:])
    result = bytearray(base)
    position = 0
    while position + 4 <= len(data):
        (packed,) = struct.unpack_from("<I", data, position)
        offset, length = packed & 0xFF_FFFF, packed >> 24
        position += 4
        if length == 255:
            del result[offset:]
            continue
        new = data[position : position + length]
        position += length
        offset %= len(base)
        if offset < len(result):
            result[offset : offset + len(new)] = new[: len(result) - offset]
    return bytes(result)


def _file(name: str, content: bytes) -> Path:
    path = directory() / name
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def messages(data: bytes) -> None:
    """A message from the bus, which is also what its repeat must be."""
    try:
        event = decode(data)
    except MessageError as error:
        assert len(str(error)) < 1_000
        return
    if event is not None:
        again = encode(event.body, src=event.src, boot=event.boot, seq=event.seq, t_ns=event.t_ns)
        assert decode(again[1]) is not None


def _handle(verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """What the conductor does with arguments before it believes them."""
    if "source" in args:
        try:
            return {"source": str(parse_source(msgspec.json.encode(args["source"])))}
        except msgspec.ValidationError as error:
            raise ControlError("bad_arguments", str(error)) from error
    if verb == "refuse":
        raise ControlError("busy", repr(args))
    return {"verb": verb, "args": args}


def request(data: bytes) -> None:
    """A control request: one reply, that a client can read."""
    reply = json.loads(control._answer(data, _handle))
    assert set(reply) == ({"id", "ok", "result"} if reply["ok"] else {"id", "ok", "error"})


def reply(data: bytes) -> None:
    """A reply to a control request, from whoever listens there."""
    try:
        assert isinstance(control._result(data, "1"), dict)
    except ControlError as error:
        assert error.code is not None


def config(data: bytes) -> None:
    """The configuration file."""
    try:
        load_config(_file("config.toml", data))
    except ConfigError:
        return


def source(data: bytes) -> None:
    """What to record, as the journal and control requests have it."""
    try:
        parsed = parse_source(data)
    except msgspec.ValidationError:
        return
    assert parse_source(dump_source(parsed)) == parsed
    assert "\0" not in str(parsed)


@cache
def _ring() -> bytes:
    path = directory() / "base.ring"
    path.unlink(missing_ok=True)
    writer = RingWriter.open(path, seconds=0.25)
    for number in range(12):  # more than the 8 slots, with a gap
        if number == 9:
            writer.skip(700)
        writer.publish(np.full(512 if number % 3 else 100, number, np.float32), capture_ns=1_000 + number)
    writer.close()
    return path.read_bytes()


def ring(data: bytes) -> None:
    """A ring that was damaged, or made by somebody else: attach, read all, look at ranges."""
    path = _file("audio.ring", patched(_ring(), data))
    try:
        with RingReader.attach(path) as reader:
            for _ in range(2 * reader.slots):
                if reader.read() is None:
                    break
            head, tail = reader.head, reader.tail
            for first, end in ((tail, head), (0, head), (head - 600, head), (tail, tail + 1), (head, head)):
                try:
                    if end - first <= 1 << 16:
                        reader.samples(first, end)
                except ShmError:
                    continue
            for sample in (0, tail, head, 1 << 70):
                try:
                    reader.seek(sample)
                    reader.read()
                except ShmError:
                    continue
            reader.statistics()
            assert reader.writer_alive in (True, False)
    except ShmError:
        return


def takeover(data: bytes) -> None:
    """The same, as a successor of its writer meets it: it carries on or replaces, and what it publishes can be read."""
    path = _file("taken.ring", patched(_ring(), data))
    with RingWriter.open(path, seconds=0.25) as writer:
        at = writer.position
        writer.publish(np.full(512, 0.5, np.float32), capture_ns=2_000)
        with RingReader.attach(path) as reader:
            assert (reader.samples(at, at + 512) == 0.5).all()


@cache
def _page() -> bytes:
    with CountersPage.create(directory() / "base.counters", counters=("a", "turns"), histograms=("h_us",)) as page:
        page.add("a", 3)
        page.observe("h_us", 1000)
        return page.path.read_bytes()


def counters(data: bytes) -> None:
    """A counters page that was damaged."""
    try:
        with CountersView.attach(_file("x.counters", patched(_page(), data))) as view:
            view.counters()
            for histogram in view.histograms().values():
                assert isinstance(histogram.quantile(0.99), float)
            assert view.alive in (True, False)
    except ShmError:
        return


def audio(data: bytes) -> None:
    """A sound file of any kind."""
    path = _file("sound", data)
    try:
        info(path)
        for block in itertools.islice(blocks(path), MOST_BLOCKS):
            assert block.dtype == np.float32
            assert 1 <= len(block) <= 512
    except AudioFileError as error:
        assert "\n" not in str(error)


def models(data: bytes) -> None:
    """A catalogue of models."""
    try:
        catalogue.read(_file("models.toml", data))
    except CatalogueInvalid:
        return


def tokens(data: bytes) -> None:
    """A model's table of tokens."""
    try:
        derive.moonshine_tokens(data)
    except ValueError as error:
        assert type(error) is ValueError


def archive(data: bytes) -> None:
    """An archive that was downloaded, zip or tar: a hostile one fills no disk."""
    target = directory() / "member"
    target.unlink(missing_ok=True)
    try:
        unpack.extract(_file("x.whl", data), [unpack.Member("a/model.onnx", target, 100)])
        assert target.stat().st_size <= 101
    except DownloadFailed:
        return


@cache
def _journal() -> bytes:
    path = directory() / "base.db"
    book = Journal(path, keep="30d")
    book.begin_recording('{"type":"microphone"}')
    for first in range(0, 40_000, 10_000):
        book.segmented(
            generation=1, stream=7, first=first, end=first + 9_000, speech_end=first + 8_000, position=first,
            spoken_ns=1, wall_ns=1,
        )  # fmt: skip
        book.transcribed(book.utterances(limit=1)[0].ordinal, text="said", model="m")
    book.close()
    return path.read_bytes()


def journal(data: bytes) -> None:
    """A damaged journal, as `up` and the stages meet it: set aside, or opened and read."""
    for old in directory().glob("journal.db*"):
        old.unlink()
    path = _file("journal.db", patched(_journal(), data))
    try:
        set_aside_damaged(path)
        book = Journal(path, keep="30d")
        try:
            for row in book.utterances():
                str(row)
            book.recording()
            book.open_recordings()
            book.unfinished()
            if (row := book.oldest("transcribed")) is not None:
                book.transformed(row.ordinal, text="said", context="{}")
        finally:
            book.close()
    except JournalError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        messages, request, reply, config, source, ring, takeover, counters, audio, models, tokens, archive, journal,
    )
}  # fmt: skip


def seeds() -> dict[str, list[bytes]]:
    """Return correct inputs and some known troublemakers for each target, from which a corpus is begun."""
    import bz2
    import io
    import tarfile
    import zipfile

    import soundfile

    tone = np.sin(np.arange(1_600) * 0.1).astype(np.float32) / 2
    sounds = []
    for kind, subtype in (
        ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("RF64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
        ("AIFF", "PCM_16"), ("MP3", "MPEG_LAYER_III"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        soundfile.write(buffer, tone, 16_000, format=kind, subtype=subtype)
        sounds.append(buffer.getvalue())
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/model.onnx", bytes(5_000))
    tars = []
    for shape in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=shape) as tar:
            for name, length in (("a/" + "x" * 120 + "\xe9", 300), ("a/model.onnx", 100)):
                member = tarfile.TarInfo(name)
                member.size = length
                tar.addfile(member, io.BytesIO(bytes(length)))
        tars.append(packed.getvalue()[:4_096])
    envelope = {"src": "vad", "boot": "b", "seq": 1, "t_ns": 2}
    wire = [
        encode(TextReady(stream=1, first=2, text="said"), **envelope)[1],  # type: ignore[arg-type]
        encode(Draft(stream=1, first=2, end=3, text="said", stable=1, window_id=4), **envelope)[1],  # type: ignore[arg-type]
    ]
    file_source = b'{"type":"file","path":"/x.wav","pace":1.0}'

    def word(offset: int, value: int) -> bytes:
        return struct.pack("<I", offset | 8 << 24) + struct.pack("<Q", value)

    huge = (1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
    rings = [
        b"", *(word(8 * index, value) for index in (0, 3, 7, 18, 19, 21, 24, 25) for value in huge),
        *(word(4096 + 2112 * slot + 8 * index, huge[3]) for slot in (0, 3) for index in range(8)),
        struct.pack("<I", 5_000 | 255 << 24),
    ]  # fmt: skip
    return {
        "messages": [*wire, b"[" * 900, wire[0].replace(b"1", b"9" * 30), wire[0].replace(b'"said"', b'"\xff"')],
        "request": [
            b'{"id":"1","verb":"start","args":{"source":' + file_source + b"}}",
            b'{"verb":"x","id":' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"verb":"start","args":{"source":{"pace":' + b"9" * 400 + b"}}}",
            b'{"verb":"x","id":NaN}',
            b'{"verb":"refuse","id":"\\ud800"}',
        ],
        "reply": [
            b'{"id":"1","ok":true,"result":{}}', b'{"id":"1","ok":false,"error":{"code":"busy","text":"x"}}', b"[]",
            b'{"id":"1","ok":false,"error":[]}', b'{"id":"1","ok":true,"result":[]}',
        ],
        "config": [
            b'[inject]\nbackends = ["file"]\nfile = "/x"\n[vad]\nthreshold = 0.5\n[history]\nkeep = "30d"\n',
            b"[vad]\nthreshold = nan\n", b"a = " + b"[" * 2_000, b'[log]\nlevel = "\xff"\n', b"a." * 2_000 + b"a = 1\n",
            b"[stt.final]\nthreads = 99999999999999999999999\n",
        ],
        "source": [file_source, b'{"type":"microphone"}', b'{"type":"file","path":"\\u0000"}', b"[" * 2_000],
        "ring": rings, "takeover": rings,
        "counters": [
            b"", *(word(8 * index, value) for index in range(7) for value in huge), struct.pack("<I", 64 | 255 << 24),
            struct.pack("<I", 64 | 4 << 24) + b"[[[[", struct.pack("<I", 64 | 24 << 24) + b'{"counters": {"a": [1]}}',
        ],
        "audio": sounds,
        "models": [
            b'[models.x]\ntask = "asr"\nlicence = "MIT"\nsource = {type = "wheel", requirement = "a==1"}\n'
            b'engine = "sherpa"\nconstructor = "c"\nfiles = [{name = "a", member = "a", size = 1, sha256 = "'
            + b"0" * 64 + b'"}]\n',
            b"models = 1\n", b"[models]\nx = 1\n", b"a = " + b"[" * 2_000, b"\xff", b'[models."../x"]\n',
        ],
        "tokens": [b"\x01a\x02bc\x81\x00x", b"\xff\xff", b"\x80"],
        "archive": [zipped.getvalue(), zipped.getvalue()[:60], b"PK", *tars, *map(bz2.compress, tars)],
        "journal": [
            b"", b"s/first INTEGER/first INTEGXR",
            *(word(offset, value) for offset in (0, 16, 24, 56, 60, 96, 100, 4096, 8192) for value in huge),
            struct.pack("<I", 5_000 | 255 << 24), struct.pack("<I", 10 | 255 << 24),
        ],
    }  # fmt: skip
