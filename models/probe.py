"""A trial of a model in child processes: whether it works here, how fast with how many threads, and what it takes.

Each number of threads has a child of its own, so that memory is measured from nothing, and a model that takes its
process with it takes only that: sherpa-onnx ends the process over some files. The child is a process group, ends with
its parent, and is killed with all that it has started when its time is up. It writes a line of JSON for each thing that
it begins or has measured, so it is known where it died:

    {"phase": "load"}  {"phase": "first decode", "load_s": 0.61}  ...  {"phase": "done", ...}

What was found is kept (`measurements`). A model that killed a child is put in quarantine, and one that passes is
released.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from sottovoce.models.catalogue import Entry
from sottovoce.models.devices import cores, fallback_notice, gpus, providers
from sottovoce.models.engines import launch
from sottovoce.models.engines.base import EngineSettings
from sottovoce.models.exceptions import EngineFailed, ModelError, ProbeFailed
from sottovoce.models.fingerprint import cpu_model, fingerprint, versions
from sottovoce.models.measurements import Figures, Probe, Run, save
from sottovoce.models.quarantine import Quarantine
from sottovoce.models.store import Store

SAMPLE = "beckett"
"""The model of the catalogue that is a recording: ten seconds of English."""
TIMEOUT_S = 300.0
"""For one child: Parakeet from a slow disk takes a minute."""
_LONG_S = 30
"""Seconds of the longest decode: what `Entry.memory` means, and as much as most engines take at once."""
_REPEATS = 3
_SAID_LINES, _SAID_BYTES = 5, 16_384
Phase = Literal["load", "first decode", "decode", "long decode", "close", "done"]


class _Job(msgspec.Struct, frozen=True):
    """What a child is told on its standard input."""

    entry: Entry
    directory: str
    sample: str
    settings: EngineSettings


class _Line(Figures, frozen=True, omit_defaults=True):
    """What a child tells: what it begins now, and what it has measured so far."""

    phase: Phase
    refused: str = ""


def thread_counts(most: int | None = None) -> tuple[int, ...]:
    """Return the numbers of threads to be tried: 1, 2, 4 ... and all cores.

    Args:
        most: cores; those that this process may use if None.
    """
    most = cores() if most is None else most
    return tuple(sorted({*(1 << power for power in range(most.bit_length()) if 1 << power <= most), most}))


def probe(
    name: str,
    *,
    store: Store | None = None,
    threads: Sequence[int] = (),
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto",
    sample: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    progress: Callable[[int], object] | None = None,
) -> Probe:
    """Try a model, keep what was found, and put it in quarantine or release it.

    Args:
        name: a recogniser of the catalogue.
        store: where it is.
        threads: the numbers of threads to try; `thread_counts()` if empty.
        provider: what is to run it, see `EngineSettings`.
        sample: a sound file; the catalogue's if None.
        timeout_s: for each child.
        progress: is told the number of threads before each child.

    Raises:
        UnknownModel, ModelMissing: the model, or the sample.
        EngineFailed: the model does not recognise speech.
        ProbeFailed: the child could not begin: the sample is no sound, say.
        OSError: the result cannot be written.
    """
    store = Store() if store is None else store
    entry = store.catalogue[name]
    if entry.task != "asr":
        raise EngineFailed(f"model {name} (task {entry.task}) does not recognise speech, which is what can be probed")
    directory = store.path(name)
    if sample is None:
        sample = store.path(SAMPLE) / store.catalogue[SAMPLE].files[0].name
    runs: list[Run] = []
    for count in threads or thread_counts():
        if progress is not None:
            progress(count)
        settings = EngineSettings(threads=count, provider=provider)
        runs.append(_run(_Job(entry, str(directory), str(sample.absolute()), settings), timeout_s))
        if runs[-1].outcome != "passed":
            break  # more threads would not mend it
    found = Probe(
        name, fingerprint(entry, directory), datetime.now(UTC), cpu_model(), cores(), dict(versions(entry)),
        tuple(runs), provider, _notice(entry, provider, runs),
    )  # fmt: skip
    save(store, found)
    quarantine, trouble = Quarantine(store.root), found.trouble
    if trouble is None:
        quarantine.release(name)
    elif trouble.outcome == "died":
        quarantine.put(entry, directory, trouble.reason, "probe")
    return found


def _notice(entry: Entry, provider: str, runs: Sequence[Run]) -> str:
    """Return what is to be told of where it ran; the other engines have no choice."""
    if entry.engine != "onnx" or provider == "cpu" or not runs or not runs[-1].providers:
        return ""
    return fallback_notice(entry.name, provider, runs[-1].providers, offered=providers(), cards=len(gpus()))


# -- the parent ----------------------------------------------------------------------------------------------------


def _run(job: _Job, timeout_s: float) -> Run:
    # Files, not pipes: whatever the child has started may hold a pipe open, and nobody has to read while it works.
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as task, tempfile.TemporaryFile() as said:
        task.write(msgspec.json.encode(job))
        task.seek(0)
        python = (sys.executable, "-P", "-m", "sottovoce.models.probe", job.entry.name)
        child = subprocess.Popen(
            [sys.executable, "-P", launch.__file__, str(os.getpid()), *python],
            stdin=task, stdout=told, stderr=said, start_new_session=True,
        )  # fmt: skip
        in_time = False
        try:
            in_time = _ended(child.pid, timeout_s)
        finally:
            # Not reaped yet, so the group is certainly still its own; what it has started goes with it.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        lines, complaints = _lines(told), _last_lines(said)
        if not lines and in_time:
            why = f": {complaints[-1]}" if complaints else ""
            raise ProbeFailed(f"the probe of {job.entry.name} could not begin with {job.sample}{why}")
        run = _judge(lines[-1] if lines else _Line("load"), child.returncode, timeout_s if not in_time else None)
        return msgspec.structs.replace(
            run, threads=job.settings.threads, said=() if run.outcome == "passed" else complaints
        )  # fmt: skip


def _ended(pid: int, timeout_s: float) -> bool:
    pidfd = os.pidfd_open(pid)
    try:
        return bool(select.select([pidfd], (), (), timeout_s)[0])
    finally:
        os.close(pidfd)


def _judge(last: _Line, code: int, exceeded: float | None) -> Run:
    """Return what became of a child, from its last words, its return code, and the time it had if that was up."""
    figures = {name: getattr(last, name) for name in Figures.__struct_fields__}
    if last.refused:
        return Run(0, "refused", last.refused, **figures)
    if exceeded is None and code == 0 and last.phase == "done":
        return Run(0, "passed", **figures)
    where = {"load": "while it loaded", "close": "when it was closed", "done": "after it was closed"}.get(
        last.phase, f"in the {last.phase}"
    )  # fmt: skip
    if exceeded is not None:
        return Run(0, "hung", f"was not done within {exceeded:g} s, {where}", **figures)
    return Run(0, "died", f"{_end(code)} {where}", **figures)


def _end(code: int) -> str:
    if code >= 0:
        return f"ended its process with status {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    why = ", as the kernel does where memory runs out," if -code == signal.SIGKILL else ""
    return f"ended its process by {name}{why}"


def _lines(told: IO[bytes]) -> list[_Line]:
    told.seek(0)
    found = []
    for line in told.read().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=_Line))
        except msgspec.DecodeError:
            break  # cut short by its death
    return found


def _last_lines(said: IO[bytes]) -> tuple[str, ...]:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _SAID_BYTES))
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines()]
    return tuple(line[:300] for line in lines if line)[-_SAID_LINES:]


# -- the child -----------------------------------------------------------------------------------------------------


def _child(job: _Job, tell: Callable[[_Line], None]) -> None:
    """Measure; says what it does before it does it."""
    for line in _measure(job):
        tell(line)


def _measure(job: _Job) -> Iterator[_Line]:
    import numpy as np
    import soundfile

    from sottovoce.models.engines import load_recogniser
    from sottovoce.models.footprint import family, trim

    samples, rate = soundfile.read(job.sample, dtype="float32", always_2d=True)
    speech = np.ascontiguousarray(samples[:, 0])
    long = np.resize(speech, _LONG_S * rate)
    line = _Line("load", audio_s=speech.size / rate)
    yield line
    began = time.perf_counter()
    try:
        engine = load_recogniser(job.entry, Path(job.directory), job.settings)
        placed = tuple(getattr(engine, "providers", ()))
        line = msgspec.structs.replace(
            line, phase="first decode", load_s=time.perf_counter() - began, providers=placed
        )  # fmt: skip
        yield line
        began = time.perf_counter()
        text = engine.decode(speech, sample_rate=rate).text
        line = msgspec.structs.replace(line, phase="decode", first_s=time.perf_counter() - began, text=text)
        yield line
        took = []
        for _ in range(_REPEATS):
            began = time.perf_counter()
            engine.decode(speech, sample_rate=rate)
            took.append(time.perf_counter() - began)
        line = msgspec.structs.replace(line, phase="long decode", decode_s=sorted(took)[_REPEATS // 2])
        yield line
        began = time.perf_counter()
        engine.decode(long, sample_rate=rate)
        now = family()
        line = msgspec.structs.replace(
            line, phase="close", long_s=time.perf_counter() - began, pss=now.pss if now else 0,
            peak=now.peak if now else 0,
        )  # fmt: skip
        yield line
        engine.close()
        del engine
    except ModelError as error:
        yield msgspec.structs.replace(line, refused=str(error))
        return
    trim()
    now = family()
    yield msgspec.structs.replace(line, phase="done", pss_closed=now.pss if now else 0)


def main() -> None:
    """Be the child: `python -m sottovoce.models.probe NAME`, with a job on the standard input."""
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no part of the answer
    os.set_inheritable(out, False)

    def tell(line: _Line) -> None:
        os.write(out, msgspec.json.encode(line) + b"\n")

    _child(msgspec.json.decode(sys.stdin.buffer.read(), type=_Job), tell)


if __name__ == "__main__":
    main()
