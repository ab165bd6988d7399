"""Speech to recognise, and the engines that every contract is tried on."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple

import apiserver
import msgspec
import numpy as np
import pytest
import soundfile
import toys
import wyomingserver
from numpy.typing import NDArray

from sottovoce.models import (
    Catalogue,
    EngineSettings,
    Entry,
    OfflineEngine,
    Store,
    StreamingEngine,
    Whole,
    load_engine,
    load_streaming,
)

Samples = NDArray[np.float32]
Build = Callable[[str], toys.Toy]

TONES = "low middle high top"
# sherpa-onnx ends the process over a model that it cannot use: better a child's.
_LOAD = """
import sys, msgspec, pathlib
from sottovoce.models import Entry, load_engine, load_punctuator, load_streaming
entry = msgspec.json.decode(sys.argv[1], type=Entry)
load = load_streaming if entry.streaming else load_engine if entry.task == "asr" else load_punctuator
load(entry, pathlib.Path(sys.argv[2])).close()
"""


class Subject(NamedTuple):
    """What an offline contract is tried on."""

    make: Callable[[EngineSettings], OfflineEngine]
    """Load one."""
    audio: Samples
    """float32, 16 kHz."""
    text: str
    """A part of what it hears in that, in lower case."""
    language: str = "en"


class StreamingSubject(NamedTuple):
    """What a streaming contract is tried on."""

    make: Callable[[EngineSettings], StreamingEngine]
    audio: Samples
    text: str
    """All that it hears in that, in lower case."""


@pytest.fixture(scope="session")
def speech(real: Callable[[str], Path]) -> Samples:
    """Return five seconds of a man's voice, float32, 16 kHz: "Ever tried, ever failed, no matter..."."""
    samples, rate = soundfile.read(real("beckett") / "beckett.wav", dtype="float32", frames=80_000)
    assert rate == 16_000
    return np.asarray(samples, np.float32)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return a function that builds a toy by its name, once, and has it loaded by a child before anybody else."""
    builders = {
        **toys.TONAL,
        "toy-zipformer": toys.zipformer,
        "toy-nemo-streaming": toys.nemo_streaming,
        "toy-whisper": toys.whisper,
        "toy-punctuation": toys.punctuation,
    }
    made: dict[str, toys.Toy] = {}

    def build(name: str) -> toys.Toy:
        if name not in made:
            toy = builders[name](tmp_path_factory.mktemp(name))
            child = subprocess.run(
                [sys.executable, "-c", _LOAD, msgspec.json.encode(toy.entry).decode(), str(toy.directory)],
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert child.returncode == 0, f"{name} ends the process that loads it: {child.stderr}"
            made[name] = toy
        return made[name]

    return build


def _tonal(name: str) -> Callable[[pytest.FixtureRequest], Subject]:
    def subject(request: pytest.FixtureRequest) -> Subject:
        toy: toys.Toy = request.getfixturevalue("toy")(name)
        return Subject(lambda settings: load_engine(*toy, settings), toys.speech(TONES), TONES)

    return subject


def _installed(name: str) -> Callable[[pytest.FixtureRequest], Subject]:
    def subject(request: pytest.FixtureRequest) -> Subject:
        directory: Path = request.getfixturevalue("real")(name)
        entry = Catalogue.load()[name]
        language = entry.languages[0] if len(entry.languages) == 1 else ""
        speech = request.getfixturevalue("speech")
        return Subject(lambda settings: load_engine(entry, directory, settings), speech, "ever failed", language)

    return subject


def _pocketsphinx(request: pytest.FixtureRequest) -> Subject:
    pytest.importorskip("pocketsphinx", reason="run: pip install pocketsphinx")
    entry = Entry(name="en-us", task="asr", licence="BSD-2-Clause", engine="pocketsphinx", languages=("en",))
    speech = request.getfixturevalue("speech")[:24_000]  # it takes a fifth of the time that the speech took
    return Subject(lambda settings: load_engine(entry, Path("/nowhere"), settings), speech, "ever")


def _whole(request: pytest.FixtureRequest) -> Subject:
    toy: toys.Toy = request.getfixturevalue("toy")("toy-zipformer")
    return Subject(lambda settings: Whole(load_streaming(*toy, settings)), toys.speech(TONES), TONES)


def _bridge(request: pytest.FixtureRequest) -> Subject:
    toy: toys.Toy = request.getfixturevalue("toy")(next(iter(toys.TONAL)))
    runtime = tempfile.mkdtemp(prefix="sottovoce-test-", dir="/dev/shm")
    request.addfinalizer(partial(shutil.rmtree, runtime))
    child = ("{python}", str(Path(__file__).parents[1] / "bridge" / "relay.py"))
    options = {"entry": msgspec.json.encode(toy.entry).decode()}
    entry = Entry(
        name="relay", task="asr", licence="MIT", engine="bridge", command=child, options=options, languages=("en",)
    )

    def make(settings: EngineSettings) -> OfflineEngine:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOTTOVOCE_RUNTIME_DIR", runtime)
            return load_engine(entry, toy.directory, settings)

    return Subject(make, toys.speech(TONES), TONES)


def _remote(request: pytest.FixtureRequest) -> Subject:
    toy: toys.Toy = request.getfixturevalue("toy")(next(iter(toys.TONAL)))
    server, engine = apiserver.Server(), load_engine(*toy)
    request.addfinalizer(server.close)
    request.addfinalizer(engine.close)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        samples = soundfile.read(io.BytesIO(server.requests[-1][3]["file"][0]), dtype="float32")[0]
        result = engine.decode(samples)
        words = [{"word": word.text, "start": word.start_s, "end": word.end_s} for word in result.words]
        told = {"text": result.text, "words": words, "segments": [{"avg_logprob": result.log_prob}]}
        apiserver.say(told)(handler)

    server.answer = lambda handler: answer(handler) if handler.command == "POST" else apiserver.say({})(handler)
    options = {"response_format": "verbose_json"}
    entry = Entry(
        name="api", task="asr", licence="MIT", engine="remote", url=server.url, options=options, languages=("en",)
    )
    return Subject(lambda settings: load_engine(entry, Path("/nowhere"), settings), toys.speech(TONES), TONES)


def _wyoming(request: pytest.FixtureRequest) -> Subject:
    pytest.importorskip("wyoming", reason="run: pip install wyoming")
    toy: toys.Toy = request.getfixturevalue("toy")(next(iter(toys.TONAL)))
    server, engine = wyomingserver.Server(), load_engine(*toy)
    request.addfinalizer(server.close)
    request.addfinalizer(engine.close)
    server.recognise = lambda audio: engine.decode(np.frombuffer(audio, "<i2").astype(np.float32) / 32_767).text
    url = f"wyoming://127.0.0.1:{server.port}"
    entry = Entry(name="home", task="asr", licence="MIT", engine="remote", url=url, languages=("en",))
    return Subject(lambda settings: load_engine(entry, Path("/nowhere"), settings), toys.speech(TONES), TONES)


def _streaming(name: str) -> Callable[[pytest.FixtureRequest], StreamingSubject]:
    def subject(request: pytest.FixtureRequest) -> StreamingSubject:
        toy: toys.Toy = request.getfixturevalue("toy")(name)
        return StreamingSubject(lambda settings: load_streaming(*toy, settings), toys.speech(TONES), TONES)

    return subject


def _names() -> list[str]:
    """Return the models of this machine; the embedded one in any case, so that its absence is seen."""
    store = Store()
    return [
        entry.name
        for entry in Catalogue.load().by_task("asr")
        if entry.engine in ("sherpa", "onnx")
        and not entry.streaming
        and (entry.name == "moonshine-tiny-en" or store.installed(entry.name))
    ]


SUBJECTS: dict[str, Callable[[pytest.FixtureRequest], Subject]] = {
    **{name: _installed(name) for name in _names()},
    **{name: _tonal(name) for name in toys.TONAL},
    "pocketsphinx": _pocketsphinx,
    "whole": _whole,
    "bridge": _bridge,
    "remote": _remote,
    "wyoming": _wyoming,
}
"""A line each for what is to pass the contract of offline engines."""

STREAMING: dict[str, Callable[[pytest.FixtureRequest], StreamingSubject]] = {
    name: _streaming(name) for name in ("toy-zipformer", "toy-nemo-streaming")
}
"""The same for streaming engines."""


@pytest.fixture(scope="session", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    """Return what to load, and what it should hear."""
    return SUBJECTS[request.param](request)


@pytest.fixture(scope="session")
def engine(subject: Subject) -> Iterator[OfflineEngine]:
    """Load each offline engine once."""
    loaded = subject.make(EngineSettings())
    yield loaded
    loaded.close()


@pytest.fixture(scope="session", params=STREAMING)
def streaming_subject(request: pytest.FixtureRequest) -> StreamingSubject:
    """Return what to load, and what it should hear."""
    return STREAMING[request.param](request)


@pytest.fixture(scope="session")
def streaming(streaming_subject: StreamingSubject) -> Iterator[StreamingEngine]:
    """Load each streaming engine once."""
    loaded = streaming_subject.make(EngineSettings())
    yield loaded
    loaded.close()
