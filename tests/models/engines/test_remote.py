"""A server that speaks OpenAI's API: what it is sent, what becomes of its answers, and of its failures."""

from __future__ import annotations

import io
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import leftovers
import numpy as np
import pytest
import soundfile
from apiserver import Answer, Server, drip, drop, hang, say
from numpy.typing import NDArray

from sottovoce.models import DecodeCancelled, EngineFailed, EngineSettings, Entry, load_engine
from sottovoce.models.engines.remote import Remote

Samples = NDArray[np.float32]
SPEECH = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
TOKEN = "sk-do-not-tell"  # noqa: S105


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server."""
    server = Server()
    yield server
    server.close()


Make = Callable[..., Remote]


@pytest.fixture
def make(server: Server, tmp_path: Path) -> Iterator[Make]:
    """Return a function that makes an engine for the server; no descriptor is left in the end."""
    descriptors = leftovers.descriptors()
    made: list[Remote] = []

    def make(
        settings: EngineSettings = EngineSettings(timeout_s=10.0),  # noqa: B008 - it is frozen
        *,
        url: str = "",
        hotwords: str = "prompt",
        **options: str | float | bool,
    ) -> Remote:
        made.append(Remote(entry(url or server.url, hotwords=hotwords, **options), tmp_path, settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
        engine.close()
    server.release.set()
    deadline = time.monotonic() + 5
    while leftovers.descriptors() > descriptors and time.monotonic() < deadline:
        time.sleep(0.01)  # the server's threads close their ends
    assert leftovers.descriptors() <= descriptors


def entry(url: str, *, hotwords: Any = "prompt", **options: str | float | bool) -> Entry:
    """Return a catalogue entry."""
    return Entry(
        name="whisper-1", task="asr", engine="remote", licence="?", url=url, hotwords=hotwords, options=options
    )


def test_what_is_sent_is_what_the_api_wants(server: Server, make: Make) -> None:
    """One form: a WAV file of the samples, the model's name, language and vocabulary."""
    engine = make(EngineSettings(language="de", hotwords=("Zürich", "Sottovoce")), prompt="Minutes.", temperature=0.0)
    result = engine.decode(SPEECH)
    ((method, path, headers, form),) = server.requests
    assert (method, path) == ("POST", "/v1/audio/transcriptions")
    file = form.pop("file")
    assert form == {
        "model": [b"whisper-1"],
        "response_format": [b"json"],
        "language": [b"de"],
        "prompt": ["Minutes. Zürich, Sottovoce".encode()],
        "temperature": [b"0.0"],
    }
    heard, rate = soundfile.read(io.BytesIO(file[0]), dtype="float32")
    assert rate == 16_000
    assert np.abs(heard - SPEECH).max() < 1e-4
    assert "Authorization" not in headers
    assert (result.text, result.language, result.audio_s) == ("Hello, world.", "de", 1.0)
    assert result.decode_s > 0


def test_flac_is_smaller_and_the_same(server: Server, make: Make) -> None:
    """With `upload = "flac"` the file is FLAC; what is no number or too loud does no harm."""
    engine = make(upload="flac", model="other")
    engine.decode(np.array([0.25, np.nan, 7.0, -np.inf] * 4000, np.float32))
    form = server.requests[0][3]
    assert form["file"][0].startswith(b"fLaC")
    heard, _ = soundfile.read(io.BytesIO(form["file"][0]), dtype="float32")
    assert heard[:4] == pytest.approx([0.25, 0.0, 1.0, -1.0], abs=1e-4)
    assert form["model"] == [b"other"]


def test_verbose_answers_have_words(server: Server, make: Make) -> None:
    """`verbose_json` gives the language by its code, the times of words, and the mean over all tokens."""
    server.answer = say(
        {
            "task": "transcribe",
            "language": "english",
            "duration": 1,
            "text": "Hello, world.",
            "words": [{"word": " Hello", "start": 0, "end": 0.5}, {"word": "world", "start": 0.5, "end": 1.0}],
            "segments": [
                {"id": 0, "avg_logprob": -0.2, "tokens": [1, 2, 3], "text": "Hello,"},
                {"id": 1, "avg_logprob": -1.0, "tokens": [1], "text": "world."},
            ],
        }
    )
    result = make(response_format="verbose_json").decode(SPEECH)
    assert server.requests[0][3]["timestamp_granularities[]"] == [b"word", b"segment"]
    assert [(word.text, word.start_s, word.end_s) for word in result.words] == [("Hello", 0, 0.5), ("world", 0.5, 1.0)]
    assert result.log_prob == pytest.approx(-0.4)
    assert result.language == "en"


def test_words_may_be_in_the_segments(server: Server, make: Make) -> None:
    """Some servers put the words into their segments, and tell no tokens."""
    word = {"word": "hi", "start": 0.0, "end": 0.5}
    server.answer = say({"text": "hi", "segments": [{"avg_logprob": -0.5, "words": [word]}, {"avg_logprob": -1.5}]})
    result = make(response_format="verbose_json").decode(SPEECH)
    assert [word.text for word in result.words] == ["hi"]
    assert result.log_prob == pytest.approx(-1.0)


def test_the_connection_stays_open(server: Server, make: Make) -> None:
    """Warming up connects; decodes use the same connection."""
    engine = make()
    server.answer = say({"error": {"message": "there is no such list here"}}, 404)
    engine.warm_up()
    server.answer = say({"text": "x"})
    engine.decode(SPEECH)
    engine.decode(SPEECH)
    assert server.connections == 1
    assert [request[:2] for request in server.requests[:1]] == [("GET", "/v1/models")]


def test_the_token_goes_to_the_server_alone(
    server: Server, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A token from a file or the environment is sent as a bearer, and is in no log and no error."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    server.answer = say({"error": {"message": f"wrong key {TOKEN}", "type": "invalid_request_error"}}, 401)
    caplog.set_level(logging.DEBUG)
    for options in ({"token_file": str(file)}, {"token_env": "MY_TOKEN"}):
        with pytest.raises(EngineFailed, match=r"status 401 \(is the token right") as caught:
            make(**options).decode(SPEECH)
        assert TOKEN not in str(caught.value)
        assert server.requests.pop()[2]["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in caplog.text


def test_a_token_must_be_one(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is not there, is open to others or is none is refused, and never shown."""
    file = tmp_path / "token"
    with pytest.raises(EngineFailed, match=r"option token_file: .* cannot be read: No such file"):
        make(token_file=str(file))
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(EngineFailed, match="can be read by others; run: chmod 600"):
        make(token_file=str(file))
    file.chmod(0o600)
    file.write_text(f"{TOKEN}\nInjected: header")
    with pytest.raises(EngineFailed, match="holds no token") as caught:
        make(token_file=str(file))
    assert TOKEN not in str(caught.value)
    monkeypatch.delenv("MY_TOKEN", raising=False)
    with pytest.raises(EngineFailed, match="the environment variable MY_TOKEN holds no token"):
        make(token_env="MY_TOKEN")  # noqa: S106 - its name


def test_speech_does_not_leave_in_the_clear(make: Make, server: Server) -> None:
    """http goes to this machine alone, unless the entry says otherwise; a URL has no secrets in it."""
    for url in ("http://192.0.2.1/v1", "http://example.org/v1", "http://localhost.example.org/v1"):
        with pytest.raises(EngineFailed, match="for everybody to hear; use https"):
            make(url=url)
        make(url=url, insecure=True)
    make(url=server.url.replace("127.0.0.1", "localhost"))
    make(url="http://[::1]:1/v1")
    with pytest.raises(EngineFailed, match="holds a name or a password"):
        make(url="https://me:secret@example.org/v1")
    with pytest.raises(EngineFailed, match="http://host or https://host"):
        make(url="ftp://localhost/v1")
    with pytest.raises(EngineFailed, match="url: Port"):
        make(url="http://localhost:port/v1")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"modell": "x"}, "option modell is none of"),
        ({"attempts": "three"}, "option attempts must be int"),
        ({"insecure": "yes"}, "option insecure must be bool"),
        ({"temperature": True}, "option temperature must be float"),
        ({"upload": "mp3"}, "option upload is 'mp3', not wav or flac"),
        ({"response_format": "srt"}, "not json or verbose_json"),
        ({"ca_file": "/nowhere.pem"}, "option ca_file"),
    ],
)
def test_wrong_options_are_named(make: Make, options: dict[str, Any], why: str) -> None:
    """An option that is unknown, or of another type, is named with those there are."""
    with pytest.raises(EngineFailed, match=why):
        make(**options)


ERRORS: list[tuple[int, Any, str]] = [
    (400, {"error": {"message": "model not\nfound", "type": "invalid_request_error", "code": "model_not_found"}},
     "status 400: invalid_request_error: model_not_found: model not found$"),
    (400, {"error": "bad audio"}, "status 400: bad audio$"),
    (400, {"error": {"message": "your prompt 'secret word' is too long"}}, "status 400$"),
    (500, {"error": {"message": "could not align 'what was said'", "type": "server_error"}},
     "status 500: server_error$"),
    (422, {"detail": [{"input": "what was said"}]}, "status 422, with .* bytes that are no error of this API"),
    (503, b"<html>what was said</html>", "status 503, with .* bytes that are no error of this API"),
    (302, {}, "status 302: it wants to send us elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "answer", "why"), ERRORS)
def test_an_error_is_told_without_what_was_said(server: Server, make: Make, status: int, answer: Any, why: str) -> None:
    """What a server refuses is told by its own words, but nothing that may quote the speech or the vocabulary."""
    server.answer = say(answer, status)
    engine = make(EngineSettings(hotwords=("secret word",)))
    with pytest.raises(EngineFailed, match=why) as caught:
        engine.decode(SPEECH)
    assert "what was said" not in str(caught.value)
    assert len(server.requests) == 1
    server.answer = say({"text": "better"})
    assert engine.decode(SPEECH).text == "better"


GARBAGE = {
    "not json": b"what was said",
    "not utf-8": b'{"text": "\xff"}',
    "no text": b'{"txt": "what was said"}',
    "text of another type": b'{"text": ["what was said"]}',
    "a list": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_no_transcription(server: Server, make: Make, garbage: str) -> None:
    """An answer of another form is refused and not quoted."""
    server.answer = say(GARBAGE[garbage])
    with pytest.raises(EngineFailed, match="bytes that are no transcription") as caught:
        make().decode(SPEECH)
    assert "what was said" not in str(caught.value)


def test_too_much_is_not_read(server: Server, make: Make) -> None:
    """An answer without end is given up at 4 MiB."""
    server.answer = say(b" " * (5 << 20))
    with pytest.raises(EngineFailed, match="answered more than 4,194,304 bytes"):
        make().decode(SPEECH)


def test_a_dropped_connection_is_tried_again(server: Server, make: Make) -> None:
    """A server that hangs up once is asked again; one that always does is given up after `attempts`."""

    def once(handler: BaseHTTPRequestHandler) -> None:
        server.answer = say({"text": "second time"})
        drop(handler)

    server.answer = once
    assert make().decode(SPEECH).text == "second time"
    assert len(server.requests) == 2
    server.answer = drop
    with pytest.raises(EngineFailed, match=r"does not speak HTTP as it should|broke the connection"):
        make(attempts=2).decode(SPEECH)
    assert len(server.requests) == 4


def test_a_server_that_is_not_there_is_named(make: Make) -> None:
    """Nobody listening is told with host and port, and why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    engine = make(url=f"http://127.0.0.1:{port}/v1", attempts=1)
    with pytest.raises(EngineFailed, match=f"decoding 1.00 s failed: 127.0.0.1:{port} cannot be reached"):
        engine.decode(SPEECH)
    with pytest.raises(EngineFailed, match="connecting failed"):
        engine.warm_up()


@pytest.mark.parametrize("answer", [hang, drip])
def test_a_slow_server_is_given_up(server: Server, make: Make, answer: Answer) -> None:
    """`timeout_s` is for the whole: neither silence nor an endless drip lasts longer. The next decode is fine."""
    server.answer = answer
    engine = make(EngineSettings(timeout_s=0.3))
    began = time.monotonic()
    with pytest.raises(EngineFailed, match=r"did not answer within 0\.3 s"):
        engine.decode(SPEECH)
    assert time.monotonic() - began < 5
    server.answer = say({"text": "fine"})
    assert engine.decode(SPEECH).text == "fine"


def test_a_server_that_speaks_no_http_is_told(make: Make) -> None:
    """What answers in another protocol is not quoted."""

    def shout() -> None:
        for _ in range(3):
            with listener.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(b"what was said\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=shout)
        thread.start()
        engine = make(url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        with pytest.raises(EngineFailed, match=r"does not speak HTTP as it should|broke the connection") as caught:
            engine.decode(SPEECH)
        thread.join()
    assert "what was said" not in str(caught.value)


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_another_thread_can_end_it(server: Server, make: Make, how: str) -> None:
    """`cancel` gives up the decode, after which there may be others; `close` does, and there may not."""
    server.answer = hang
    engine = make()
    engine.cancel()  # nothing is being decoded: nothing happens
    raised: list[EngineFailed] = []

    def decode() -> None:
        try:
            engine.decode(SPEECH)
        except EngineFailed as error:
            raised.append(error)

    thread = threading.Thread(target=decode)
    thread.start()
    while not server.requests:
        time.sleep(0.001)
    getattr(engine, how)()
    thread.join(5)
    assert [type(error) for error in raised] == [DecodeCancelled if how == "cancel" else EngineFailed]
    server.answer = say({"text": "fine"})
    if how == "cancel":
        assert engine.decode(SPEECH).text == "fine"
    else:
        with pytest.raises(EngineFailed, match="model whisper-1 is closed"):
            engine.decode(SPEECH)


def test_too_little_audio_asks_nobody(server: Server, make: Make) -> None:
    """Empty audio is empty text, without the server."""
    assert make().decode(np.empty(0, np.float32)).text == ""
    assert server.requests == []


def test_a_proxy_has_no_business_with_this_machine(server: Server, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is for a server here does not go through the proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert make().decode(SPEECH).text == "Hello, world."


def test_load_engine_makes_it(server: Server, tmp_path: Path) -> None:
    """An entry of engine `remote` gives this engine."""
    engine = load_engine(entry(server.url), tmp_path)
    assert isinstance(engine, Remote)
    assert engine.decode(SPEECH).text == "Hello, world."
    engine.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine that nobody has signed; return it and its key."""
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(files[0]), "-keyout", str(files[1])]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs openssl; run: apt install openssl")
    return files


def test_certificates_are_checked(server: Server, make: Make, certificate: tuple[Path, Path]) -> None:
    """A certificate that nobody vouches for is refused; option `ca_file` can vouch for it, for its name only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    with pytest.raises(EngineFailed, match="has a certificate that is not to be trusted"):
        make(url=url).decode(SPEECH)
    assert make(url=url, ca_file=str(certificate[0])).decode(SPEECH).text == "Hello, world."
    with pytest.raises(EngineFailed, match="has a certificate that is not to be trusted"):
        make(url=url.replace("localhost", "127.0.0.1"), ca_file=str(certificate[0])).decode(SPEECH)
