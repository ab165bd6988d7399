"""A peer's process: load, wait for a line, hear a recording in real time, say what came of it. Run by path.

The interpreter that runs this may have the peer's package and numpy, and nothing of Sottovoce; so nothing of it is
imported here. Arguments: the program, and its settings as a JSON object. Standard output has one JSON object a line.

Time is counted from the instant at which the first sample is spoken; a block is handed over when its last sample has
been. A program that is late gets what has gathered meanwhile as fast as it takes it, as from a microphone's buffer.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import queue
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from typing import Any

try:
    import numpy as np
    from numpy.typing import NDArray
except ModuleNotFoundError:
    print(json.dumps({"missing": "numpy"}))
    sys.exit()

RATE = 16_000
Samples = NDArray[np.float32]


class Log:
    """Events with their times; kept until the end, so that printing takes no time from the program."""

    def __init__(self) -> None:
        self.began = 0.0
        self.events: list[dict[str, Any]] = []

    def begin(self) -> None:
        """The first sample is spoken now."""
        self.began = time.monotonic()

    def add(self, kind: str, text: str, segment: int) -> None:
        """Write down that something was shown or decided now."""
        self.events.append({"t": time.monotonic() - self.began, "kind": kind, "text": text, "segment": segment})


def in_real_time(samples: Samples, block: int, log: Log) -> Iterator[Samples]:
    """Yield blocks as they are spoken."""
    for start in range(0, len(samples), block):
        piece = samples[start : start + block]
        time.sleep(max(0.0, log.began + (start + len(piece)) / RATE - time.monotonic()))
        yield piece


class MoonshineVoice:
    """The package's own streaming transcriber, as it comes: its VAD, its update interval of 0.5 s."""

    package = "moonshine-voice"

    def __init__(self, settings: dict[str, Any], log: Log) -> None:
        self._log, self._failure = log, ""
        self._api: Any = importlib.import_module("moonshine_voice.transcriber")  # it has no types
        self._transcriber = self._api.Transcriber(settings["model"], self._api.ModelArch.TINY)
        self._transcriber.add_listener(self._listen)

    def _listen(self, event: Any) -> None:
        if isinstance(event, self._api.Error):  # it goes on after one, and raises nothing
            self._failure = str(event.error)
        elif isinstance(event, self._api.LineCompleted):
            self._log.add("final", event.line.text, event.line.line_id)
        elif isinstance(event, self._api.LineTextChanged) and not event.line.is_complete:
            self._log.add("draft", event.line.text, event.line.line_id)

    def hear(self, samples: Samples) -> None:
        """Feed it blocks of 32 ms."""
        self._transcriber.start()
        self._log.begin()
        for block in in_real_time(samples, 512, self._log):
            self._transcriber.add_audio(block.tolist(), RATE)
        self._transcriber.stop()
        if self._failure:
            raise RuntimeError(self._failure)


class SherpaSimulated:
    """The scheme of sherpa-onnx's `simulate-streaming-*` examples for models that do not stream, with their numbers.

    What was said since the last segment is decoded anew every 0.2 s while the VAD hears speech, for display; what the
    VAD cuts out is decoded once more and is final. `min_silence_s` is the silence that ends a segment (0.1 s there).
    """

    package = "sherpa-onnx"

    def __init__(self, settings: dict[str, Any], log: Log) -> None:
        import sherpa_onnx

        model = settings["model"]
        self._log = log
        self._recognizer = sherpa_onnx.OfflineRecognizer.from_moonshine_v2(
            encoder=f"{model}/encoder_model.ort", decoder=f"{model}/decoder_model_merged.ort",
            tokens=f"{model}/tokens.txt", num_threads=2,
        )  # fmt: skip
        config = sherpa_onnx.VadModelConfig()
        config.sample_rate = RATE
        config.silero_vad.model = settings["silero"]
        config.silero_vad.threshold = 0.5
        config.silero_vad.min_silence_duration = settings["min_silence_s"]
        config.silero_vad.min_speech_duration = 0.25
        config.silero_vad.max_speech_duration = 8
        self._window = config.silero_vad.window_size
        self._vad = sherpa_onnx.VoiceActivityDetector(config, buffer_size_in_seconds=100)

    def hear(self, samples: Samples) -> None:
        """Record blocks of 0.1 s in a thread, as the examples do, and decode in this one."""
        blocks: queue.SimpleQueue[Samples | None] = queue.SimpleQueue()

        def record() -> None:
            for block in in_real_time(samples, RATE // 10, self._log):
                blocks.put(block)
            blocks.put(None)

        self._log.begin()
        threading.Thread(target=record).start()
        window = self._window
        heard, looked_at, segment = np.zeros(0, np.float32), 0, 0
        decoded: float | None = None  # when the draft was last looked after; None outside of speech
        while (block := blocks.get()) is not None:
            heard = np.concatenate([heard, block])
            while looked_at + window < len(heard):
                self._vad.accept_waveform(heard[looked_at : looked_at + window])
                looked_at += window
                if decoded is None and self._vad.is_speech_detected():
                    decoded = time.monotonic()
            if decoded is None and (surplus := len(heard) - 10 * window) > 0:
                heard, looked_at = heard[surplus:], looked_at - surplus
            if decoded is not None and time.monotonic() - decoded > 0.2:
                if text := self._decode(heard):
                    self._log.add("draft", text, segment)
                decoded = time.monotonic()
            while self._pop(segment):
                heard, looked_at, decoded, segment = np.zeros(0, np.float32), 0, None, segment + 1
        self._vad.flush()
        while self._pop(segment):
            segment += 1

    def _pop(self, segment: int) -> bool:
        """Decode the next segment that the VAD has cut out, if there is one."""
        if self._vad.empty():
            return False
        samples = np.array(self._vad.front.samples, np.float32)
        self._vad.pop()
        self._log.add("final", self._decode(samples), segment)
        return True

    def _decode(self, samples: Samples) -> str:
        stream = self._recognizer.create_stream()
        stream.accept_waveform(RATE, samples)
        self._recognizer.decode_stream(stream)
        return str(stream.result.text).strip()


PROGRAMS: dict[str, Callable[[dict[str, Any], Log], MoonshineVoice | SherpaSimulated]] = {
    "moonshine-voice": MoonshineVoice,
    "sherpa-onnx": SherpaSimulated,
}


def read_wav(path: str) -> Samples:
    """Return the samples of a mono 16-bit WAV: float32, shape (n,), full scale 1.0."""
    with wave.open(path) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return pcm.astype(np.float32) / np.float32(32768)


def say(**what: Any) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(name: str, settings: dict[str, Any]) -> None:
    """Run one peer."""
    log = Log()
    try:
        version = importlib.metadata.version(name)
        if settings.get("check"):
            say(version=version)
            return
        program = PROGRAMS[name](settings, log)
    except importlib.metadata.PackageNotFoundError:
        say(missing=name)
        return
    samples = read_wav(settings["wav"])
    say(version=version)
    sys.stdin.readline()
    program.hear(samples)
    say(events=log.events)
    sys.stdin.read()  # what this process took is being read


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
