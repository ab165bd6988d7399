"""Measure the audio ring between real processes: how long a frame takes to get across, and whether any comes out wrong.

One phase for each number of readers is paced like a microphone, with a zmq doorbell to wake the readers, and its
latency is what a stage of the service sees. A last phase writes as fast as it can, so that readers are lapped and torn
copies are taken all the time, and shows that none is accepted.

Every sample of a frame follows from the frame's seq, so a reader can tell by itself whether what it got is right.
"""

from __future__ import annotations

import json
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from sottovoce.shm import FRAME_SAMPLES, Frame, RingReader, RingWriter

RECHECK_MS = 100
"""How long a reader trusts the doorbell before it looks for itself."""
DOORBELL_HWM = 16
BELL = struct.Struct("<QQ")
"""What the doorbell says: the seq, and when it was rung (CLOCK_MONOTONIC ns), for the sake of this benchmark."""
UNPACED_SECONDS = 2.0
WARM_UP_FRAMES = 8
"""Left out of the times: the first frame runs code for the first time in every process (3.6-5.6 ms against 0.5)."""
CHECK_EVERY = 1024
"""Frames are checked in batches, so that one reader's check is not in the way of another's frame on a small machine."""
_RAMP = np.arange(FRAME_SAMPLES, dtype=np.float32)


def run(readers: Sequence[int] = (1, 4), seconds: float = 5.0, rate: float = 31.25) -> dict[str, Any]:
    """Run every phase and return what was measured.

    `seconds` is the length of each paced phase and `rate` its frames a second. In the report, `bad` counts frames that
    a reader accepted although they were wrong, `rejected` those that it refused to the end, `lost` those that it
    counted as lost; all are sums over the readers. Times are microseconds. `publish_us` is one call of
    `RingWriter.publish`; `latency_us` goes from just before that call to the validated copy in a reader; `wake_us` is
    the part of it that is not the ring's, from the doorbell rung to the doorbell heard: zmq, the scheduler, and
    whatever else runs on the machine. `frames` counts the warm-up too, the times do not.
    """
    paced = []
    for number in readers:
        with _phase(number, RECHECK_MS) as (writer, ring_bell, finish):
            publish_us = _write_paced(writer, ring_bell, frames=max(1, round(seconds * rate)), rate=rate)
            paced.append({"readers": number, "rate": rate} | _summary(writer, publish_us, finish()))
    with _phase(max(readers), 0) as (writer, _, finish):
        began = time.monotonic()
        publish_us = _write_unpaced(writer, min(seconds, UNPACED_SECONDS))
        elapsed = time.monotonic() - began
        summary = _summary(writer, publish_us, finish())
    # A reader that is always behind sees old frames; their age says nothing of the ring.
    unpaced = {key: value for key, value in summary.items() if not key.startswith(("latency", "wake"))}
    unpaced = {"readers": max(readers), "frames_per_s": round(writer.statistics().frames / elapsed)} | unpaced
    return {"seconds": seconds, "paced": paced, "unpaced": unpaced}


def render(report: dict[str, Any]) -> str:
    """Return the report as a table for people."""
    columns = ("frames", "read", "bad", "rejected", "lost", "retries")
    times = ("publish_us_p50", "publish_us_p99", "latency_us_p50", "latency_us_p99", "wake_us_p50", "wake_us_p99")
    rows: list[tuple[str, ...]] = [("", *columns, *times)]
    phases = [(f"{row['readers']} readers, {row['rate']:g}/s", row) for row in report["paced"]]
    unpaced = report["unpaced"]
    phases.append((f"{unpaced['readers']} readers, {unpaced['frames_per_s']}/s", unpaced))
    for name, row in phases:
        rows.append(
            (name, *(str(row[key]) for key in columns), *(f"{row[key]:.1f}" if key in row else "" for key in times))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows)


def _pattern(seq: int) -> NDArray[np.float32]:
    """Return the samples of frame `seq`: exact in float32, and another row of numbers for each of 2**20 frames."""
    return _RAMP + np.float32(seq % (1 << 20))


def _count_bad(frames: list[Frame]) -> int:
    """Return how many frames are not what their seq says, and empty the list."""
    bad = sum(
        frame.sample_index != (frame.seq - 1) * FRAME_SAMPLES or not np.array_equal(frame.samples, _pattern(frame.seq))
        for frame in frames
    )
    frames.clear()
    return bad


@contextmanager
def _phase(
    readers: int, wait_ms: int
) -> Iterator[tuple[RingWriter, Callable[[int], None], Callable[[], list[dict[str, Any]]]]]:
    """Give a writer, its doorbell, and a function that ends the phase and returns what each reader says."""
    with (
        tempfile.TemporaryDirectory(prefix="sottovoce-bench-", dir="/dev/shm") as name,
        zmq.Context() as context,
        context.socket(zmq.PUB) as doorbell,
        RingWriter.open(Path(name) / "ring") as writer,
    ):
        address = f"ipc://{name}/doorbell"
        doorbell.set_hwm(DOORBELL_HWM)
        doorbell.linger = 0
        doorbell.bind(address)
        command = [
            sys.executable,
            "-m",
            "sottovoce.ops.bench_ring",
            "--reader",
            str(writer.path),
            address,
            str(wait_ms),
        ]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(readers)]

        def ring_bell(seq: int) -> None:
            doorbell.send(BELL.pack(seq, time.monotonic_ns()))

        def finish() -> list[dict[str, Any]]:
            writer.close()
            ring_bell(writer.statistics().seq)
            return [json.loads(process.communicate(timeout=60)[0]) for process in processes]

        try:
            _await_readers(processes, ring_bell)
            yield writer, ring_bell, finish
        finally:
            for process in processes:
                process.kill()
                process.communicate()


def _await_readers(processes: list[subprocess.Popen[str]], ring_bell: Callable[[int], None]) -> None:
    """Ring until every reader has heard it: a subscription takes effect some time after it is made."""
    waiting = [process.stdout for process in processes if process.stdout is not None]
    deadline = time.monotonic() + 60
    while waiting:
        ring_bell(0)
        for stream in select.select(waiting, [], [], 0.02)[0]:
            stream.readline()
            waiting.remove(stream)
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            raise RuntimeError("a reader of the benchmark did not start; its own message is above")


def _write_paced(writer: RingWriter, ring_bell: Callable[[int], None], *, frames: int, rate: float) -> list[float]:
    """Publish `frames` frames and a warm-up at `rate` a second; return how long each call took, in microseconds."""
    publish_us = []
    began = time.monotonic()
    for number in range(WARM_UP_FRAMES + frames):
        samples = _pattern(number + 1)
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        capture_ns = time.monotonic_ns()
        seq = writer.publish(samples, capture_ns=capture_ns)
        publish_us.append((time.monotonic_ns() - capture_ns) / 1e3)
        ring_bell(seq)
    return publish_us[WARM_UP_FRAMES:]


def _write_unpaced(writer: RingWriter, seconds: float) -> list[float]:
    """Publish as fast as it goes; return how long each call took, in microseconds."""
    publish_us = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        samples = _pattern(writer.position // FRAME_SAMPLES + 1)
        capture_ns = time.monotonic_ns()
        writer.publish(samples, capture_ns=capture_ns)
        publish_us.append((time.monotonic_ns() - capture_ns) / 1e3)
    return publish_us


def _summary(writer: RingWriter, publish_us: list[float], reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up one phase; a time that was never taken is left out."""
    counts = {key: sum(report[key] for report in reports) for key in ("read", "bad", "rejected", "lost", "retries")}
    times = {"publish_us": publish_us}
    times |= {key: [value for report in reports for value in report[key]] for key in ("latency_us", "wake_us")}
    percentiles = {
        f"{key}_p{share}": round(float(np.percentile(values, share)), 1)
        for key, values in times.items()
        for share in (50, 99)
        if values
    }
    return {"frames": writer.statistics().frames, **counts, **percentiles}


def _read_all(path: Path, address: str, wait_ms: int) -> dict[str, Any]:
    """Be a reader: take every frame until the writer has closed the ring, and say how that went."""
    bad = 0
    latency_us = []
    wake_us = []
    unchecked: list[Frame] = []
    with RingReader.attach(path) as reader, zmq.Context() as context, context.socket(zmq.SUB) as doorbell:
        doorbell.set_hwm(DOORBELL_HWM)
        doorbell.linger = 0
        doorbell.subscribe(b"")
        doorbell.connect(address)
        doorbell.recv()
        doorbell.rcvtimeo = wait_ms
        print("ready", flush=True)
        while True:
            closed = reader.closed  # looked at before the last read, so no frame can come after it
            while (frame := reader.read()) is not None:
                now_ns = time.monotonic_ns()
                if frame.seq > WARM_UP_FRAMES:
                    latency_us.append((now_ns - frame.capture_ns) / 1e3)
                unchecked.append(frame)
                if len(unchecked) == CHECK_EVERY:
                    bad += _count_bad(unchecked)
            if closed:
                break
            try:
                seq, rung_ns = BELL.unpack(doorbell.recv())
                if seq > WARM_UP_FRAMES:
                    wake_us.append((time.monotonic_ns() - rung_ns) / 1e3)
            except zmq.Again:  # the timed re-check
                if not reader.writer_alive:
                    raise RuntimeError("the writer of the benchmark has gone") from None
        counts = reader.statistics()
    return {
        "read": counts.frames,
        "bad": bad + _count_bad(unchecked),
        "rejected": counts.bad,
        "lost": counts.lost_frames,
        "retries": counts.retries,
        "latency_us": latency_us,
        "wake_us": wake_us,
    }


if __name__ == "__main__" and sys.argv[1:2] == ["--reader"]:
    print(json.dumps(_read_all(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
