"""`sottovoce bench ptt`: from the release of the push-to-talk key to the text, through real processes.

A recording is fed at real pace for as long as the key is down, and the key is released at points all over its speech:
in the midst of words and up to 0.2 s after them, as people do. The release is the command that a key is bound to, a
process of its own; the clock starts before it is started. So what is measured is what is felt, and the report tells
what a program that keeps a socket open would save (`request_to_typed_s`).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sottovoce.actors.audiofile import blocks
from sottovoce.models import SileroVad, Store
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.private import private_service
from sottovoce.ops.progress import ProgressBar
from sottovoce.ops.service import models_of
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns
from sottovoce.protocol.config import Config, load_config
from sottovoce.protocol.control import request
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Recording
from sottovoce.shm import FRAME_SAMPLES, RingCorrupt, RingMissing, RingReader, RingStale

SAMPLE: Final = "beckett"
_LATEST_S: Final = 0.2  # by so much after a word people let go
_SETTLED_S: Final = 0.3  # of speech before the first release: what is shorter than a word is not typed
_LIMIT_S: Final = 60.0
_LOOK_S: Final = 0.02
_COMMAND: Final = (sys.executable, "-P", "-m", "sottovoce.ops.entry", "ptt", "up")


def points(audio: Path, count: int, config: Config | None = None) -> list[float]:
    """Return `count` times at which to let go, in seconds from the beginning, spread evenly over the speech in a file.

    Raises:
        AudioFileError: it cannot be read.
        OpsError: there is no speech in it.
    """
    vad = (config or Config()).vad
    model = SileroVad(Store().path(vad.model) / "silero_vad.onnx")
    frame_s = FRAME_SAMPLES / SAMPLE_RATE
    speech = [
        model.probability(np.pad(block, (0, FRAME_SAMPLES - len(block)))) >= vad.threshold
        for block in blocks(audio, frames=FRAME_SAMPLES)
    ]
    after, said, near = round(_LATEST_S / frame_s), round(_SETTLED_S / frame_s), []
    for at in range(len(speech)):
        if sum(speech[: at + 1]) >= said and any(speech[max(0, at + 1 - after) : at + 1]):
            near.append((at + 1) * frame_s)
    if not near:
        raise OpsError(f"{audio}: no speech was found in it; name another recording")
    return [round(near[int((i + 0.5) * len(near) / count)], 3) for i in range(count)]


def run(paths: Paths, audio: Path, releases: Sequence[float]) -> dict[str, Any]:
    """Dictate the beginning of `audio` by push-to-talk, once for each of `releases`, into the service in `paths`.

    Args:
        paths: the service's; it types where it is set to.
        audio: any file that `actors.audiofile` reads.
        releases: when the key is released, in seconds of the recording.

    Returns:
        `release_to_typed_s` and `request_to_typed_s` (p50 and p95, or None where nothing was typed): from before the
        release's process is started, and from when the conductor has taken it in. `parts_ms`: p50 and p95 of the steps
        in between. `typed`, `nothing_left` (all had been typed before the release) and `not_typed` count the releases.
        `each` has one object for each release. No text is in it.

    Raises:
        ControlError: no service answers.
        OpsError: the service came to no end, is recording already, or the release was refused.
    """
    keep = load_config(paths.config).history.keep
    journal = Journal(paths.journal(keep=keep), keep=keep)
    subscriber = Subscriber(paths, ("capture.", "state.pipeline"))
    try:
        each = [_release(paths, journal, subscriber, audio, seconds) for seconds in releases]
    finally:
        subscriber.close()
        journal.close()
    typed = [one for one in each if one["outcome"] == "typed"]
    parts = typed[0]["parts_ms"] if typed else ()
    return {
        "audio": str(audio),
        "releases": len(each),
        **{name: sum(one["outcome"] == name for one in each) for name in ("typed", "nothing_left", "not_typed")},
        **{name: _percentiles([one[name] for one in typed]) for name in ("release_to_typed_s", "request_to_typed_s")},
        "parts_ms": {part: _percentiles([one["parts_ms"][part] for one in typed]) for part in parts},
        "each": each,
    }


def _release(
    paths: Paths, journal: Journal, subscriber: Subscriber, audio: Path, seconds: float
) -> dict[str, Any]:  # fmt: skip
    source = {"type": "file", "path": str(audio.absolute()), "pace": 1.0}
    pressed = request(paths.control, "ptt", {"edge": "down", "at_ns": now_ns(), "source": source})
    if not pressed["changed"]:
        raise OpsError("the service is recording already; end that first with `sottovoce stop`")
    generation = pressed["generation"]
    began_ns = _began_ns(paths, journal, generation)
    time.sleep(max(0.0, seconds - (now_ns() - began_ns) / 1e9))
    released_ns = now_ns()
    environment = {**os.environ, **paths.environment()}
    code = subprocess.run(
        _COMMAND, env=environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False
    ).returncode
    if code:
        raise OpsError(f"`sottovoce ptt up` ended with {code}; its own line above says why")
    recording = _closed(subscriber, journal, generation)
    assert recording.stop_ns is not None  # noqa: S101 - the command says so
    rows = journal.utterances(generation=generation)
    one: dict[str, Any] = {"at_s": seconds, "utterances": len(rows)}
    if not rows or rows[-1].segmented_ns < recording.stop_ns:
        return {**one, "outcome": "nothing_left"}
    last = rows[-1]
    if last.typed_ns is None or last.transcribed_ns is None:
        return {**one, "outcome": "not_typed", "state": last.state}
    steps = {
        "command": recording.stop_ns - released_ns,
        "segment": last.segmented_ns - recording.stop_ns,
        "decode": last.transcribed_ns - last.segmented_ns,
        "deliver": last.typed_ns - last.transcribed_ns,
    }
    return {
        **one,
        "outcome": "typed",
        "audio_s": round((last.end - last.first) / SAMPLE_RATE, 3),
        "release_to_typed_s": round((last.typed_ns - released_ns) / 1e9, 4),
        "request_to_typed_s": round((last.typed_ns - recording.stop_ns) / 1e9, 4),
        "parts_ms": {name: round(took / 1e6, 1) for name, took in steps.items()},
    }


def _began_ns(paths: Paths, journal: Journal, generation: int) -> int:
    """Return when the first sample of a recording entered the ring, by the ring: the message that tells so may be lost.

    (A subscriber that has just connected is not heard of yet by who publishes.)
    """
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        recording = journal.recording(generation)
        if recording is not None and recording.first is not None:
            with contextlib.suppress(RingMissing, RingStale, RingCorrupt), RingReader.attach(paths.ring) as reader:
                frame = reader.frame(recording.first)
                if reader.stream == recording.stream and frame is not None:
                    return frame.capture_ns - (frame.end - recording.first) * 10**9 // SAMPLE_RATE
        time.sleep(_LOOK_S)
    raise OpsError(f"recording {generation} did not begin within {_LIMIT_S:g} s; see `sottovoce logs capture`")


def _closed(subscriber: Subscriber, journal: Journal, generation: int) -> Recording:
    """Return a recording once all of it has found its end."""
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        recording = journal.recording(generation)
        if recording is not None and recording.closed_ns is not None:
            return recording
        subscriber.wait(0.1)
        for _ in subscriber.drain():  # each says only that it is worth another look
            pass
    raise OpsError(f"recording {generation} came to no end within {_LIMIT_S:g} s; see `sottovoce status`")


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4)}


def measure(audio: Path | None, releases: int, *, tell: Callable[[str], object]) -> dict[str, Any]:
    """Run the benchmark with a service of its own, which types into a file.

    Args:
        audio: a recording, by default the sample `beckett`.
        releases: how many.
        tell: is called with a line of progress.

    Raises:
        AudioFileError, ModelError, OpsError, ControlError: as of `points` and `run`.
    """
    Store().pull(models_of(Config()), ProgressBar())
    audio = sample() if audio is None else audio
    times = points(audio, releases)
    with private_service() as service:
        tell(f"{audio.name}, {releases} times from its beginning, at real pace: {sum(times):.0f} s")
        return run(service.paths, audio, times)


def sample() -> Path:
    """Return the recording that is used where none is named; it is pulled if need be.

    Raises:
        ModelError: it cannot be pulled.
    """
    store = Store()
    store.pull([SAMPLE], ProgressBar())
    return store.path(SAMPLE) / f"{SAMPLE}.wav"


def render(report: dict[str, Any]) -> str:
    """Return the report as a table for people."""
    lines = [f"{'':<44}{'p50':>9}{'p95':>9}"]
    rows = [
        ("key released -> typed, s", report["release_to_typed_s"], "9.3f"),
        ("conductor told -> typed, s", report["request_to_typed_s"], "9.3f"),
        *((f"  of which {name}, ms", value, "9.1f") for name, value in report["parts_ms"].items()),
    ]
    lines += [f"{name:<44}{value['p50']:>{form}}{value['p95']:>{form}}" for name, value, form in rows if value]
    counts = (
        f"{report['releases']} releases: {report['typed']} typed, {report['nothing_left']} with nothing left to type"
    )
    return "\n".join([*lines, f"{counts}, {report['not_typed']} not typed"])
