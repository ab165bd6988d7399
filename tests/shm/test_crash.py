"""What is left when a writer is killed, and whether readers of several processes can be deceived."""

import inspect
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sottovoce.shm import Frame, RingReader, RingWriter

RAMP = np.arange(512, dtype=np.float32)


# Everything in a frame follows from its seq, so that a reader can prove what it got.
def _samples_of(seq: int) -> NDArray[np.float32]:
    return RAMP[: 2 + seq * 37 % 511] + np.float32(seq % 1048576)


def _is_right(frame: Frame) -> bool:
    return frame.capture_ns == 7 * frame.seq and np.array_equal(frame.samples, _samples_of(frame.seq))


def _publish_for(writer: RingWriter, seconds: float) -> None:
    seq = writer.statistics().seq
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seq += 1
        writer.publish(_samples_of(seq), capture_ns=7 * seq)


COMMON = f"""
from __future__ import annotations
import json, random, sys, time
from pathlib import Path
import numpy as np
from sottovoce.shm import RingLapped, RingReader, RingWriter

RAMP = np.arange(512, dtype=np.float32)
{inspect.getsource(_samples_of)}
{inspect.getsource(_is_right)}
{inspect.getsource(_publish_for)}
path = Path(sys.argv[1])
"""
WRITER = f"""{COMMON}
writer = RingWriter.open(path, seconds=0.5)
print(writer.replaced or "", flush=True)
_publish_for(writer, 600.0)
"""
READER = f"""{COMMON}
reader = RingReader.attach(path)
last = wrong = ranges = 0
print("up", flush=True)
while True:
    over = reader.closed
    while (frame := reader.read()) is not None:
        wrong += not _is_right(frame) or frame.seq <= last
        last = frame.seq
        if frame.seq % 64 == 0:
            try:
                tail, head = reader.tail, reader.head
                samples = reader.samples(random.randint(min(tail, head), head), head)
            except RingLapped:
                continue
            ranges += 1
            # Within a frame samples rise by 1; where they do not, the ramp starts again, at the next seq.
            starts = np.flatnonzero(np.diff(samples) != 1) + 1
            wrong += bool(np.any(np.diff(samples[starts]) != 1))
    if over:
        break
counts = reader.statistics()
print(json.dumps(dict(last=last, wrong=wrong, ranges=ranges, frames=counts.frames, lost=counts.lost_frames,
                      bad=counts.bad)))
"""


def _start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *(str(one) for one in arguments)], stdout=subprocess.PIPE, text=True
    )


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0)


def test_a_killed_writer_harms_nothing(ring: Path) -> None:
    """After SIGKILL at any instant every frame that can be read is right, and the next writer goes on."""
    chance = random.Random(20261120)
    RingWriter.open(ring, seconds=0.5).close()
    with RingReader.attach(ring) as reader:
        last = 0
        place = 0
        for kill in range(30):
            process = _start(WRITER, ring)
            try:
                _wait_until(lambda kill=kill: reader.generation == kill + 2)
                target = reader._cursor() + chance.randrange(200)
                _wait_until(lambda target=target: reader._cursor() >= target)
                process.kill()
                # Not yet reaped: a zombie no longer runs.
                _wait_until(lambda: not reader.writer_alive)
            finally:
                process.kill()
                said, _ = process.communicate()
            assert said == "\n"  # the file was carried on, not replaced
            before = reader.statistics()
            for frame in iter(reader.read, None):
                assert _is_right(frame)
                if reader.statistics().lost_frames == before.lost_frames:
                    assert (frame.seq, frame.sample_index) == (last + 1, place)
                before = reader.statistics()
                assert frame.seq > last
                last, place = frame.seq, frame.end
            # It may have died after telling the head and before telling the cursor: that frame is whole too.
            if place != reader.head:
                assert np.array_equal(reader.samples(place, reader.head), _samples_of(last + 1))
            assert not reader.closed
        counts = reader.statistics()
        assert counts.bad == 0
        assert counts.frames + counts.lost_frames == last
        with RingWriter.open(ring, seconds=0.5) as writer:
            assert writer.replaced is None
            assert writer.generation == 32
            assert writer.position >= reader.head
            assert writer.publish(np.zeros(1, np.float32), capture_ns=0) in {last + 1, last + 2}


def test_readers_of_a_busy_writer_are_never_deceived(ring: Path) -> None:
    """Four processes that are lapped by a writer at full speed get only right frames, and count exactly the rest."""
    processes: list[subprocess.Popen[str]] = []
    with RingWriter.open(ring, seconds=0.5) as writer:
        try:
            processes = [_start(READER, ring) for _ in range(4)]
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "up\n"
            _publish_for(writer, 2.0)
            writer.close()
            reports = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.communicate()
        for report in reports:
            assert report["wrong"] == report["bad"] == 0
            assert report["last"] == writer.statistics().seq
            assert report["frames"] + report["lost"] == report["last"]
            assert report["frames"] > 0
        assert sum(report["ranges"] for report in reports) > 0
