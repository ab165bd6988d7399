"""A Wyoming server: the package's own, and some that do not behave."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import leftovers
import numpy as np
import pytest
from numpy.typing import NDArray
from wyomingserver import Server

from sottovoce.models import DecodeCancelled, EngineFailed, EngineSettings, Entry, load_engine
from sottovoce.models.engines.wyoming import Wyoming

Samples = NDArray[np.float32]
SPEECH = np.linspace(-0.5, 0.5, 40_000, dtype=np.float32)


def entry(port: int, host: str = "127.0.0.1", **options: str | float | bool) -> Entry:
    """Return a catalogue entry."""
    url = f"wyoming://{host}:{port}"
    return Entry(
        name="home", task="asr", engine="remote", licence="?", url=url, hotwords="prompt", options=options,
        languages=("en",),
    )  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the package's server."""
    pytest.importorskip("wyoming", reason="needs the package wyoming; run: pip install wyoming")
    server = Server()
    yield server
    server.close()


Make = Callable[..., Wyoming]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return a function that makes an engine; no descriptor is left in the end."""
    descriptors = leftovers.descriptors()
    made: list[Wyoming] = []

    def make(
        port: int,
        settings: EngineSettings = EngineSettings(timeout_s=10.0),  # noqa: B008 - it is frozen
        **options: str | float | bool,
    ) -> Wyoming:
        made.append(Wyoming(entry(port, **options), tmp_path, settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
        engine.close()
    deadline = time.monotonic() + 5
    while leftovers.descriptors() > descriptors and time.monotonic() < deadline:
        time.sleep(0.01)  # the server closes its ends
    assert leftovers.descriptors() <= descriptors


def test_a_segment_is_heard(server: Server, make: Make) -> None:
    """The server gets name, language, vocabulary and the samples at 16 bits; its transcript is the text."""
    engine = make(server.port, EngineSettings(language="de", hotwords=("Zürich",)), model="tiny-int8")
    engine.warm_up()
    result = engine.decode(SPEECH)
    assert (result.text, result.language, result.audio_s) == ("Hello, world.", "de", 2.5)
    asked = server.transcribe
    assert (asked.name, asked.language, asked.transcript_terms) == ("tiny-int8", "de", ["Zürich"])
    assert (server.start.rate, server.start.width, server.start.channels) == (16_000, 2, 1)
    heard = np.frombuffer(server.audio, "<i2").astype(np.float32) / 32_767
    assert np.abs(heard - SPEECH).max() < 1e-4
    assert server.timestamps == [0, 512, 1024, 1536, 2048]


def test_nothing_is_said_that_was_not_chosen(server: Server, make: Make) -> None:
    """Without a language, a vocabulary or a model the server chooses; what it does not tell is the entry's."""
    server.reply = [server.Transcript("x").event()]
    assert make(server.port).decode(SPEECH).language == "en"
    asked = server.transcribe
    assert (asked.name, asked.language, asked.transcript_terms) == (None, None, None)


def test_a_transcript_in_parts_comes_whole(server: Server, make: Make) -> None:
    """A server that streams its transcript sends it whole as well; the parts, and events unknown, are passed over."""
    from wyoming.asr import TranscriptChunk, TranscriptStart, TranscriptStop

    server.reply = [
        TranscriptStart().event(),
        TranscriptChunk("Hello").event(),
        server.Event("of-a-later-version", {"x": 1}, b"payload"),
        server.Transcript("Hello.").event(),
        TranscriptStop().event(),
    ]
    assert make(server.port).decode(SPEECH).text == "Hello."


def test_a_server_that_fails_says_so(server: Server, make: Make) -> None:
    """An error's code is told, its text is not, which may quote what was said; the next decode may succeed."""
    engine = make(server.port)
    server.reply = [server.Error("cannot align 'what was said'", code="asr-failed").event()]
    with pytest.raises(EngineFailed, match=r"says that it failed \(asr-failed\)") as caught:
        engine.decode(SPEECH)
    assert "what was said" not in str(caught.value)
    server.reply = [server.Transcript("fine").event()]
    assert engine.decode(SPEECH).text == "fine"


def test_a_hanging_server_is_given_up(server: Server, make: Make) -> None:
    """A server that never answers costs `timeout_s`."""
    server.reply = []
    with pytest.raises(EngineFailed, match=r"did not answer within 0\.3 s"):
        make(server.port, EngineSettings(timeout_s=0.3)).decode(SPEECH)


def test_too_little_audio_asks_nobody(server: Server, make: Make) -> None:
    """Empty audio is empty text, without the server."""
    assert make(server.port).decode(np.empty(0, np.float32)).text == ""
    assert server.connections == 0


def test_load_engine_makes_it(server: Server, tmp_path: Path) -> None:
    """A `wyoming://` URL gives this engine."""
    engine = load_engine(entry(server.port), tmp_path)
    assert isinstance(engine, Wyoming)
    assert engine.decode(SPEECH).text == "Hello, world."
    engine.close()


@contextlib.contextmanager
def listener(answer: Callable[[socket.socket], None], times: int = 1) -> Iterator[int]:
    """Run a server that does one thing with each of so many connections; give its port."""

    def serve() -> None:
        for _ in range(times):
            with listening.accept()[0] as connection, contextlib.suppress(OSError):
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


MALFORMED = {
    "not json": b"what was said\n",
    "not an event": b"[1]\n",
    "data not an object": b'{"type": "transcript", "data_length": 2}\n[]',
    "data not json": b'{"type": "transcript", "data_length": 13}\nwhat was said',
    "huge data": b'{"type": "transcript", "data_length": 99999999999}\n',
    "negative length": b'{"type": "transcript", "data_length": -1}\n',
    "endless line": b"x" * 200_000,
    "no text": b'{"type": "transcript", "data": {"txt": "what was said"}}\n',
    "text of another type": b'{"type": "transcript", "data": {"text": ["what was said"]}}\n',
}


@pytest.mark.parametrize("case", MALFORMED)
def test_garbage_is_told_from_the_end(make: Make, case: str) -> None:
    """What is no Wyoming is called so at once, and not quoted; it is not tried again."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(MALFORMED[case])
        while connection.recv(65_536):
            pass

    with listener(answer) as port, pytest.raises(EngineFailed, match=r"sent (something|more|a transcript)") as caught:
        make(port).decode(SPEECH)
    assert "what was said" not in str(caught.value)


@pytest.mark.parametrize("said", [b"", b'{"type": "trans', b'{"type": "transcript", "data_length": 20}\n{"te'])
def test_a_connection_that_breaks_off_is_tried_again(make: Make, said: bytes) -> None:
    """A server that hangs up, in the midst of its answer or before, is asked as often as `attempts` says."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(said)

    with listener(answer, times=2) as port:
        engine = make(port, attempts=2)
        with pytest.raises(EngineFailed, match=r"closed the connection before it answered|cannot be reached"):
            engine.decode(SPEECH)


def test_the_answer_of_the_second_attempt_counts(make: Make) -> None:
    """A decode survives a server that hangs up once."""
    answers = iter([b"", b'{"type": "transcript", "data": {"text": "second"}}\n'])

    def answer(connection: socket.socket) -> None:
        connection.sendall(next(answers))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    with listener(answer, times=2) as port:
        assert make(port).decode(SPEECH).text == "second"


def test_a_server_that_does_not_read_is_given_up(make: Make) -> None:
    """A server that takes nothing from its socket costs `timeout_s`, however much there is to be sent."""
    release = threading.Event()
    with listener(lambda _: release.wait(20) and None) as port:
        engine = make(port, EngineSettings(timeout_s=0.3))
        with pytest.raises(EngineFailed, match=r"did not answer within 0\.3 s"):
            engine.decode(np.zeros(16_000 * 300, np.float32))
        release.set()


def test_a_server_that_is_not_there_is_named(make: Make) -> None:
    """Nobody listening is told with host and port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(EngineFailed, match=f"127.0.0.1:{port} cannot be reached"):
        make(port, attempts=2).warm_up()


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_another_thread_can_end_it(make: Make, how: str) -> None:
    """`cancel` and `close` give up a decode."""
    asked, release = threading.Event(), threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.recv(1)
        asked.set()
        release.wait(20)

    raised: list[EngineFailed] = []
    with listener(answer) as port:
        engine = make(port)

        def decode() -> None:
            try:
                engine.decode(SPEECH)
            except EngineFailed as error:
                raised.append(error)

        thread = threading.Thread(target=decode)
        thread.start()
        asked.wait(10)
        getattr(engine, how)()
        thread.join(5)
        release.set()
    assert [type(error) for error in raised] == [DecodeCancelled if how == "cancel" else EngineFailed]
    if how == "close":
        with pytest.raises(EngineFailed, match="model home is closed"):
            engine.decode(SPEECH)


def test_speech_does_not_leave_in_the_clear(tmp_path: Path) -> None:
    """Another machine is refused unless the entry says otherwise: the protocol has no encryption."""
    with pytest.raises(EngineFailed, match="for everybody to hear"):
        Wyoming(entry(10_300, host="192.0.2.1"), tmp_path, EngineSettings())
    Wyoming(entry(10_300, host="192.0.2.1", insecure=True), tmp_path, EngineSettings()).close()
    with pytest.raises(EngineFailed, match="option token_file is none of"):
        Wyoming(entry(10_300, token_file="x"), tmp_path, EngineSettings())  # noqa: S106 - its name
