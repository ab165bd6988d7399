"""The process that `sottovoce bench wer` runs a model in: the job on its input, what was heard on its output.

The job is a JSON object: `model`, `threads`, `language` and `clips`, paths of recordings. Each answer is a line of
JSON: `{"loaded": {...}}`, `{"clip": n, "text": ..., "audio_s": ..., "decode_s": ...}` for each clip, `{"done": {...}}`;
or one of `{"failed": why}`, about the model, and `{"unreadable": why}`, about a recording. The libraries may write to
the standard output what they like: it is the error output here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.audiofile import AudioFileError, decode_file
from sottovoce.models import (
    EngineSettings,
    Entry,
    ModelError,
    OfflineEngine,
    Store,
    Whole,
    load_engine,
    load_streaming,
)
from sottovoce.ops.sample import process
from sottovoce.ops.usage import family
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import VadConfig
from sottovoce.shm import FRAME_SAMPLES

LONGEST_S: Final = 30.0
"""A longer recording is decoded in the segments that the service would find: engines degrade beyond it."""
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def main() -> None:
    """Do the job."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False), file=answers, flush=True)

    job = json.load(sys.stdin)
    try:
        for each in work(job["model"], job["threads"], job["language"], [Path(clip) for clip in job["clips"]]):
            answer(each)
    except ModelError as error:
        answer({"failed": str(error)})
    except AudioFileError as error:
        answer({"unreadable": str(error)})


def work(model: str, threads: int, language: str, clips: list[Path]) -> Iterator[dict[str, Any]]:
    """Load a model, decode recordings, and yield the answers.

    Raises:
        ModelError: it cannot be loaded, or broke.
        AudioFileError: a recording cannot be read.
    """
    store = Store()
    entry = store.catalogue[model]
    directory, before = store.path(model), memory()["pss_mib"]
    began = time.perf_counter()
    engine = load(entry, directory, EngineSettings(threads=threads, language=language))
    loaded = time.perf_counter()
    engine.warm_up()
    warm = time.perf_counter()
    yield {
        "loaded": {
            "load_s": round(loaded - began, 3), "warm_up_s": round(warm - loaded, 3),
            "before_mib": before, "loaded_mib": memory()["pss_mib"],
        }
    }  # fmt: skip
    try:
        for number, clip in enumerate(clips):
            samples = decode_file(clip)
            began = time.perf_counter()
            text = " ".join(engine.decode(piece).text for piece in pieces(samples))
            yield {
                "clip": number, "text": " ".join(text.split()), "audio_s": round(len(samples) / SAMPLE_RATE, 3),
                "decode_s": round(time.perf_counter() - began, 4),
            }  # fmt: skip
        yield {"done": memory()}
    finally:
        engine.close()


def load(entry: Entry, directory: Path, settings: EngineSettings) -> OfflineEngine:
    """Return the engine of an entry.

    Raises:
        EngineFailed: it cannot be made.
    """
    if entry.streaming:
        return Whole(load_streaming(entry, directory, settings))
    return load_engine(entry, directory, settings)


def pieces(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield a recording (float32, shape (n,), 16 kHz) whole, or, if it is long, the speech in it."""
    if len(samples) <= LONGEST_S * SAMPLE_RATE:
        yield samples
        return
    from sottovoce.actors.detector import Detector
    from sottovoce.actors.segmenter import Closed

    detector, start = Detector(VadConfig()), 0
    while start < len(samples):
        for action in detector.push(start, samples[start : start + FRAME_SAMPLES]):
            if isinstance(action, Closed):
                yield samples[action.first : action.end]
        start = detector.position
    for closed in detector.flush():
        yield samples[closed.first : closed.end]


def memory() -> dict[str, float]:
    """Return what this process and those that it started take, in MiB.

    `pss_mib`: now, a page that several map divided by their number; `peak_mib`: the sum of the largest that each was.
    """
    now, peak = 0.0, 0
    for pid in family(os.getpid()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            now += process(pid)["pss_kib"]
            found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
            peak += int(found[1]) if found else 0
    return {"pss_mib": round(now / 1024, 1), "peak_mib": round(peak / 1024, 1)}


if __name__ == "__main__":
    main()
