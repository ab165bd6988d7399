"""A recogniser in a program of its own: whatever the catalogue entry's command starts and speaks docs/bridge.md.

The program is started and loads its model when the engine is made, and stays. What it does wrong (an end, a silence,
a line that is no answer) ends it, with all that it has started, and costs the decode that met with it; the next one
starts it again, at once after the first mishap, and then after a pause that doubles up to half a minute, for as long
as no decode succeeds.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines import elsewhere
from sottovoce.models.engines.answers import Error, Heard
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result, mono_16k
from sottovoce.models.engines.child import Child
from sottovoce.models.engines.conversation import Conversation, Mishap, Unanswered, kind, reason
from sottovoce.models.engines.spool import Spool
from sottovoce.models.exceptions import DecodeCancelled, EngineFailed
from sottovoce.models.languages import spoken
from sottovoce.protocol.exceptions import PathError
from sottovoce.shm import RingReader, ShmError

_START_TIMEOUT = "start_timeout_s"
_START_TIMEOUT_S = 100.0
"""From its start to the loaded model. Torch and a model of 2 GB from a cold disk take most of a minute."""
_BYE_S = 1.0
_LONGEST_PAUSE_S = 30.0


class Bridge:
    """The engine `bridge`. `decode` is for one thread at a time; `cancel` and `close` may come from others.

    Args:
        entry: its `command` is the program; "{directory}" and "{python}" in it stand for the model's files and for the
            Python that runs us. Its `options` are the child's, but for `start_timeout_s`.
        directory: where the model's files are.
        settings: how to run it; `timeout_s` is the longest decode.
        clock: seconds; for tests of the pauses.

    Raises:
        EngineFailed: the program cannot be started, does not speak the protocol, or cannot load the model.
    """

    def __init__(
        self,
        entry: Entry,
        directory: Path,
        settings: EngineSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = entry.name
        self.load_s = 0.0
        """Seconds from the program's start, or from the wish to load again, to the loaded model."""
        self.device = ""
        """What the child says that it decodes on."""
        self._entry = entry
        self._directory = directory
        self._settings = settings
        self._clock = clock
        places = {"{directory}": str(directory), "{python}": sys.executable}
        self._command = [_fill(part, places) for part in entry.command]
        options = dict(entry.options)
        self._start_timeout_s = float(options.pop(_START_TIMEOUT, _START_TIMEOUT_S))
        self._options = options
        self._mishaps = 0
        self._not_before = 0.0
        self._loaded = False
        self._lock = threading.Lock()
        self._decoding = self._cancelled = self._closed = False
        try:
            self._spool = Spool()
        except (OSError, PathError, ShmError) as error:
            raise EngineFailed(f"model {self.name}: there is no place for audio: {error}") from error
        self._talk: Conversation | None = None
        self._holder: list[Child] = []  # what the finalizer ends; it must not know of us
        self._finalizer = weakref.finalize(self, _leave, self._holder, self._spool)
        try:
            with self._guard():
                self._ready()
        except EngineFailed:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """The child's process id; None where there is none."""
        talk = self._talk
        return None if talk is None else talk.child.pid

    @property
    def complaints(self) -> tuple[str, ...]:
        """The last lines of the child's standard error. They may hold what was dictated: not for any log."""
        return self._holder[-1].complaints.lines if self._holder else ()

    def warm_up(self) -> None:
        """Decode a second of faint noise."""
        self.decode(np.random.default_rng(0).normal(0.0, 1e-3, SAMPLE_RATE).astype(np.float32))

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Recognise one segment; see `OfflineEngine.decode`.

        Raises:
            DecodeCancelled: `cancel` was called meanwhile; an EngineFailed, too.
        """
        self._require_open()
        samples = mono_16k(samples, sample_rate)
        if not self._is_worth_it(samples.size):
            return self._nothing(samples.size)
        with self._guard():
            talk = self._ready()
            try:
                with self._spool.file(samples) as path:
                    audio = {"kind": "file", "path": str(path), "samples": samples.size}
                    return self._recognise(talk, audio, samples.size)
            except OSError as error:
                raise EngineFailed(f"model {self.name}: its audio cannot be handed over: {error}") from error

    def decode_range(self, reader: RingReader, first: int, end: int) -> Result:
        """Recognise samples `first` <= i < `end` of the ring, which the child reads itself if it can.

        Raises:
            EngineFailed, DecodeCancelled: as of `decode`; also where the child finds that they are not there any more.
            RingRange, RingLapped, RingCorrupt: the same, where the child does not read the ring.
        """
        self._require_open()
        if not self._is_worth_it(end - first):
            return self._nothing(max(0, end - first))
        with self._guard():
            talk = self._ready()
            if "ring" in talk.hello.audio:
                audio = {"kind": "ring", "path": str(reader.path), "stream": reader.stream, "first": first, "end": end}
                return self._recognise(talk, audio, end - first)
        return self.decode(reader.samples(first, end))

    def cancel(self) -> None:
        """Give up the decode that another thread is waiting for, if there is one: it raises DecodeCancelled."""
        with self._lock:
            if self._decoding:
                self._cancelled = True
                if self._talk is not None:
                    self._talk.child.interrupt()

    def unload(self) -> None:
        """Have the child free the model; the next decode loads it again. Nothing happens where none is loaded.

        Raises:
            EngineFailed: the child broke, or the engine was closed.
        """
        self._require_open()
        if self._talk is not None and self._loaded:
            self._loaded = False
            with self._guard():
                self._talk.unload(self._start_timeout_s, self._is_closed)

    def close(self) -> None:
        """End the child, which is given a second to say goodbye. Closing twice is fine."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            talk, self._talk = self._talk, None
            decoding = self._decoding
        if talk is not None:
            if decoding:
                talk.child.interrupt()
            else:
                talk.farewell(_BYE_S)
            talk.child.end(_BYE_S)
        self._finalizer()

    def _require_open(self) -> None:
        if self._closed:
            raise EngineFailed(f"model {self.name} is closed")

    def _is_worth_it(self, samples: int) -> bool:
        return samples > 0 and samples >= self._entry.minimum_samples

    def _nothing(self, samples: int) -> Result:
        return Result(
            "",
            language=spoken(self._entry, self._settings.language),
            audio_s=samples / SAMPLE_RATE,
            load_s=self.load_s,
        )

    def _is_closed(self) -> bool:
        return self._closed

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Mark a decode that can be cancelled; end a child that has done something that it must not."""
        with self._lock:
            self._decoding, self._cancelled = True, False
        try:
            yield
        except Mishap as error:
            raise self._failure(str(error), blame=True) from error
        except Unanswered as error:
            if error.well:
                self._require_open()
                raise self._given_up(str(error)) from error
            # That it cannot be cancelled is no fault of the child's.
            cancels = self._talk is not None and self._talk.hello.cancel
            raise self._failure(str(error), blame=cancels or not self._cancelled) from error
        finally:
            with self._lock:
                self._decoding = False

    def _failure(self, why: str, *, blame: bool) -> EngineFailed:
        """End the child; return what is to be raised."""
        with self._lock:
            talk, self._talk = self._talk, None
        self._loaded = False
        if talk is not None:
            talk.child.end()
            why += talk.child.complaints.summary()
        self._require_open()
        if blame:
            self._mishaps += 1
            pause = 0.0 if self._mishaps == 1 else min(_LONGEST_PAUSE_S, 2.0 ** (self._mishaps - 2))
            self._not_before = self._clock() + pause
        return self._given_up(why)

    def _given_up(self, why: str) -> EngineFailed:
        if self._cancelled:
            return DecodeCancelled(f"model {self.name}: the decode was cancelled")
        return EngineFailed(f"model {self.name}: its program {why}")

    def _ready(self) -> Conversation:
        """Return a child that has loaded the model."""
        talk = self._talk
        if talk is not None and self._loaded:
            return talk
        wait = self._not_before - self._clock()
        if talk is None and wait > 0:
            raise EngineFailed(
                f"model {self.name}: its program has failed {self._mishaps} times in a row; "
                f"it is started again in {wait:.0f} s"
            )
        began = time.perf_counter()
        if talk is None:
            talk = self._start()
        settings = self._settings
        request = {
            "model": self.name,
            "directory": str(self._directory),
            "threads": settings.threads,
            "provider": settings.provider,
            "gpu_memory": settings.gpu_memory,
            "options": self._options,
        }
        # A wish to cancel waits until the model is there: to load it again would take longer.
        self.device = talk.load(request, self._start_timeout_s - (time.perf_counter() - began), self._is_closed)
        self.load_s = time.perf_counter() - began
        self._loaded = True
        return talk

    def _start(self) -> Conversation:
        self._loaded = False
        talk = Conversation(self._command)
        with self._lock:
            self._holder[:] = [talk.child]
            if not self._closed:
                self._talk = talk
        if self._talk is None:
            talk.child.end()
            self._require_open()
        talk.greet(self._start_timeout_s, self._is_closed)
        return talk

    def _recognise(self, talk: Conversation, audio: dict[str, Any], samples: int) -> Result:
        if self._cancelled:
            raise DecodeCancelled(f"model {self.name}: the decode was cancelled")
        talk.child.complaints.may_hear()
        request = {
            "type": "decode",
            "audio": audio,
            "language": self._settings.language,
            "hotwords": elsewhere.vocabulary(self._entry, self._settings),
        }
        began = time.perf_counter()
        answer = talk.ask(request, self._settings.timeout_s, lambda: self._cancelled or self._closed)
        if isinstance(answer, Error):
            # It is well and says so: nothing has to be started again.
            raise EngineFailed(f"model {self.name}: decoding {samples / SAMPLE_RATE:.2f} s failed: {reason(answer)}")
        if not isinstance(answer, Heard):
            raise Mishap(f"answered {kind(answer)} when it was to decode")
        self._mishaps = 0
        return Result(
            text=answer.text.strip(),
            tokens=answer.tokens,
            words=answer.words,
            log_prob=answer.log_prob,
            language=answer.language or spoken(self._entry, self._settings.language),
            audio_s=samples / SAMPLE_RATE,
            decode_s=time.perf_counter() - began,
            load_s=self.load_s,
        )


def _leave(holder: list[Child], spool: Spool) -> None:
    """End what is left when an engine is thrown away, or the interpreter ends, without `close`."""
    for child in holder:
        child.end()
    spool.remove()


def _fill(part: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        part = part.replace(place, value)
    return part
