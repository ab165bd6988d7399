"""The programs that the latency benchmark is run against, each in a process of its own, one after the other.

They are given what Sottovoce is given: the same recording in real time and the same model files. What they do with it
is in `child.py`, which another interpreter may run: their packages need not be installed beside Sottovoce.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from sottovoce.actors.process import end_with_parent
from sottovoce.models import Store
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.score import Event
from sottovoce.ops.usage import Meter, Usage

MODEL: Final = "moonshine-tiny-en"
"""What both can run; moonshine-voice brings the same files."""
_CHILD: Final = Path(__file__).with_name("child.py")
_LOAD_LIMIT_S: Final = 120.0
_REST_LIMIT_S: Final = 60.0  # beyond the recording's own length


class PeerMissing(OpsError):
    """A peer's package is not installed; the message has the command that installs it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to be compared with."""

    name: str
    program: str
    """What `child.py` calls it."""
    requirement: str
    """What pip calls it."""
    settings: Mapping[str, float] = field(default_factory=dict)


PEERS: Final = (
    Peer("moonshine-voice", "moonshine-voice", "moonshine-voice==0.0.49"),
    # 0.1 s of silence is what its example has; 0.5 s is the shortest at which sentences stay whole.
    Peer("sherpa-onnx 0.1 s", "sherpa-onnx", "sherpa-onnx>=1.13", {"min_silence_s": 0.1}),
    Peer("sherpa-onnx 0.5 s", "sherpa-onnx", "sherpa-onnx>=1.13", {"min_silence_s": 0.5}),
)
"""All of them."""


def check(python: Path, peers: Sequence[Peer] = PEERS) -> dict[str, str]:
    """Make sure that an interpreter has what the peers need.

    Returns:
        The version of each program's package.

    Raises:
        PeerMissing: it has not.
        OpsError: the interpreter does not run.
    """
    versions = {}
    for peer in {peer.program: peer for peer in peers}.values():
        with _child(python, peer, {"check": True}, limit_s=_LOAD_LIMIT_S) as child:
            versions[peer.program] = str(child.read()["version"])
    return versions


def run(python: Path, peer: Peer, wav: Path, seconds: float) -> tuple[list[Event], Usage]:
    """Have a peer hear a recording in real time.

    Args:
        python: the interpreter that has its package.
        peer: which one.
        wav: 16 kHz, mono, 16 bit.
        seconds: the recording's length.

    Returns:
        What it showed and decided, and what it took from the first sample to the last event; loading does not count.

    Raises:
        PeerMissing: its package is not installed.
        ModelError: the models are not pulled.
        OpsError: it failed, or did not come to its end.
    """
    store = Store()
    settings = {
        "wav": str(wav), "model": str(store.path(MODEL)),
        "silero": str(store.path("silero-v6") / "silero_vad.onnx"), **peer.settings,
    }  # fmt: skip
    with _child(python, peer, settings, limit_s=_LOAD_LIMIT_S + seconds + _REST_LIMIT_S) as child:
        child.read()
        meter = Meter(child.process.pid)
        child.go()
        told = child.read()
        usage = meter.read()
    return [Event(**event) for event in told["events"]], usage


class _Child:
    """A peer's process: it says a line when ready, waits for one, says one when it has done, waits for the end."""

    def __init__(self, peer: Peer, process: subprocess.Popen[str], python: Path) -> None:
        self.process = process
        self._peer, self._python = peer, python

    def read(self) -> dict[str, Any]:
        """Return what it says next.

        Raises:
            PeerMissing, OpsError: as of `run`.
        """
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            how = f"was killed by signal {-code}, or at its time limit" if code < 0 else f"ended with code {code}"
            raise OpsError(f"the peer {self._peer.name} {how}; what it printed stands above")
        told: dict[str, Any] = json.loads(line)
        if "missing" in told:
            raise PeerMissing(
                f"the peer {self._peer.name} needs the package {told['missing']}, which {self._python} does not have; "
                f"run: {self._python} -m pip install '{self._peer.requirement}' numpy"
            )
        return told

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def _child(python: Path, peer: Peer, settings: Mapping[str, Any], *, limit_s: float) -> Iterator[_Child]:
    """Run a peer's process; it is killed when the block is left, when we end, and when `limit_s` is over."""
    try:
        process = subprocess.Popen(
            [str(python), str(_CHILD), peer.program, json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=partial(end_with_parent, signal.SIGKILL, os.getpid()),  # noqa: PLW1509 - as in service.py
        )  # fmt: skip
    except OSError as error:
        raise OpsError(f"{python}: is no Python that runs: {error.strerror}; name another by --peer-python") from error
    watchdog = threading.Timer(limit_s, process.kill)
    watchdog.start()
    try:
        yield _Child(peer, process, python)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()
