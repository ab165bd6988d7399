"""A model in a process of its own, from the side of the one that asks: `ops.wer_child` is the other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from sottovoce.actors.audiofile import AudioFileError
from sottovoce.actors.process import end_with_parent
from sottovoce.protocol.config import MemoryConfig

LIMIT_S: Final = 600.0
"""Longest that a model may take to load, or for one clip."""
Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be decoded by what."""

    model: str
    threads: int
    language: str
    """That the model is told; empty: nothing."""
    clips: Sequence[Path]
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    """How much the model may take."""


@dataclass(slots=True)
class Heard:
    """What came of a job."""

    texts: list[str] = field(default_factory=list)
    """Of the clips in their order; not of all, if it failed."""
    loaded: dict[str, float] = field(default_factory=dict)
    """`load_s`, `warm_up_s`, and the memory of the process before and after, MiB: `before_mib`, `loaded_mib`."""
    memory: dict[str, float] = field(default_factory=dict)
    """In the end: `pss_mib` and `peak_mib`."""
    audio_s: float = 0.0
    decode_s: float = 0.0
    failed: str | None = None
    """Why it was not done."""


def hear(job: Job, *, limit_s: float = LIMIT_S, tell: Tell = lambda _: None) -> Heard:
    """Have a model decode clips in a process of its own.

    Args:
        job: what.
        limit_s: the process is killed when it says nothing for so long.
        tell: is called with a line of progress.

    Raises:
        AudioFileError: a clip cannot be read.
    """
    heard = Heard()
    with _child(limit_s) as child:
        child.send(job)
        for told in child.answers():
            match told:
                case {"unreadable": why}:
                    raise AudioFileError(why)
                case {"failed": why}:
                    heard.failed = why
                    return heard
                case {"notice": text}:
                    tell(f"{job.model}: {text}")
                case {"loaded": figures}:
                    heard.loaded = figures
                    tell(f"{job.model}: loaded in {figures['load_s']:.2f} s")
                case {"done": figures}:
                    heard.memory = figures
                    return heard
                case {"text": text, "audio_s": audio_s, "decode_s": decode_s}:
                    heard.texts.append(text)
                    heard.audio_s += audio_s
                    heard.decode_s += decode_s
        where = "while it was loaded"
        if heard.loaded:
            names = [clip.name for clip in job.clips]
            where = f"at {names[len(heard.texts)]}" if len(heard.texts) < len(names) else "when all was done"
        heard.failed = f"its process {child.end()} {where}"
    return heard


class _Child:
    """The process, which is killed if it says nothing for too long."""

    def __init__(self, process: subprocess.Popen[str], complaint: IO[bytes], limit_s: float) -> None:
        self._process, self._complaint, self._limit_s = process, complaint, limit_s
        self._late = False

    def send(self, job: Job) -> None:
        """Give it its job. One that has died already is noticed when it says nothing."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        told = {
            "model": job.model, "threads": job.threads, "language": job.language,
            "clips": [str(clip) for clip in job.clips], "memory": msgspec.to_builtins(job.memory),
        }  # fmt: skip
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stream:
            stream.write(json.dumps(told))

    def answers(self) -> Iterator[dict[str, Any]]:
        """Yield what it says until it ends."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        while True:
            timer = threading.Timer(self._limit_s, self._kill)
            timer.start()
            try:
                line = self._process.stdout.readline()
            finally:
                timer.cancel()
            if not line.endswith("\n"):
                return
            yield json.loads(line)

    def end(self) -> str:
        """Return how it ended, with the last that it complained of."""
        code = self._process.wait()
        if self._late:
            how = f"said nothing for {self._limit_s:g} s and was killed"
        else:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        self._complaint.seek(0)
        last = self._complaint.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"{how} ({last[0][:200]})" if last else how

    def _kill(self) -> None:
        self._late = True
        self._process.kill()


@contextlib.contextmanager
def _child(limit_s: float) -> Iterator[_Child]:
    with tempfile.TemporaryFile() as complaint:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sottovoce.ops.wer_child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaint, text=True, encoding="utf-8",
            preexec_fn=partial(end_with_parent, signal.SIGKILL, os.getpid()),  # noqa: PLW1509 - as in service.py
        )  # fmt: skip
        with process:
            try:
                yield _Child(process, complaint, limit_s)
            finally:
                process.kill()
