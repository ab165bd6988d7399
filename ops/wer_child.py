"""The process that `sottovoce bench wer` runs a model in: the job on its input, what was heard on its output.

The job is a JSON object: `model`, `threads`, `language`, `clips`, paths of recordings, and `memory`, what `[memory]` of
the configuration says. Each answer is a line of JSON: `{"notice": ...}`, `{"loaded": {...}}`, `{"clip": n, "text": ...,
"audio_s": ..., "decode_s": ...}` for each clip, `{"done": {...}}`; or one of `{"failed": why}`, about the model, and
`{"unreadable": why}`, about a recording. The libraries may write to the standard output what they like: it is the error
output here.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.audiofile import AudioFileError, decode_file
from sottovoce.models import EngineSettings, ModelError, Store, load_recogniser
from sottovoce.models.budget import admit
from sottovoce.models.footprint import family
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import MemoryConfig, VadConfig
from sottovoce.shm import FRAME_SAMPLES

LONGEST_S: Final = 30.0
"""A longer recording is decoded in the segments that the service would find: engines degrade beyond it."""
_MIB: Final = 1 << 20


def main() -> None:
    """Do the job."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False), file=answers, flush=True)

    job = json.load(sys.stdin)
    try:
        limits = msgspec.convert(job["memory"], MemoryConfig)
        clips = [Path(clip) for clip in job["clips"]]
        for each in work(job["model"], job["threads"], job["language"], clips, limits):
            answer(each)
    except ModelError as error:
        answer({"failed": str(error)})
    except AudioFileError as error:
        answer({"unreadable": str(error)})


def work(model: str, threads: int, language: str, clips: list[Path], limits: MemoryConfig) -> Iterator[dict[str, Any]]:
    """Load a model, decode recordings, and yield the answers.

    Raises:
        ModelError: it may not or cannot be loaded, or broke.
        AudioFileError: a recording cannot be read.
    """
    store = Store()
    entry = store.catalogue[model]
    leave = admit(store, model, EngineSettings(threads=threads, language=language), limits)
    for notice in leave.notices:
        yield {"notice": notice}
    before = memory()["pss_mib"]
    began = time.perf_counter()
    engine = load_recogniser(entry, leave.directory, leave.settings)
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
    taken = family()
    assert taken is not None  # noqa: S101 - this process lives
    return {"pss_mib": round(taken.pss / _MIB, 1), "peak_mib": round(taken.peak / _MIB, 1)}


if __name__ == "__main__":
    main()
