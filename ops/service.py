"""The service as a whole: start it, wait until it is ready, end it, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sottovoce.actors import fallback
from sottovoce.actors.exceptions import ActorError
from sottovoce.actors.process import end_with_parent, frozen
from sottovoce.actors.supervisor import Supervisor, SupervisorUnreachable
from sottovoce.actors.turn import turn_model
from sottovoce.models import Store
from sottovoce.models.languages import check_languages
from sottovoce.models.runtime import check_onnxruntime
from sottovoce.ops import preflight
from sottovoce.ops.exceptions import AlreadyRunning, ServiceError
from sottovoce.ops.preflight import StateLock
from sottovoce.ops.supervision import STOP_WAIT_S, generate, stages
from sottovoce.protocol import modes
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.choice import settled
from sottovoce.protocol.clocks import boot_id
from sottovoce.protocol.config import Config, load_config
from sottovoce.protocol.control import request
from sottovoce.protocol.database import set_aside_damaged
from sottovoce.protocol.exceptions import ControlError, EndpointBusy, JournalError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.locks import NameLock
from sottovoce.protocol.messages import Notice, StageState
from sottovoce.protocol.paths import Paths

READY_LIMIT_S = 60.0  # a cold disk and a large model; the embedded one takes 2 s
DRAIN_LIMIT_S = 10.0
_HOPELESS = ("unmendable", "full", "parked.")
"""Notices after which a stage will not be ready."""


def models_of(config: Config) -> tuple[str, ...]:
    """Return the models that a configuration needs, each once."""
    names = [config.vad.model, config.stt.final.model]
    if turn := turn_model(config.vad):
        names.append(turn)
    if config.stt.draft.enabled:
        names.append(config.stt.draft.model)
    return tuple(dict.fromkeys(names))


def missing_models(config: Config) -> list[str]:
    """Return those of them that are not in the cache.

    Raises:
        UnknownModel: the configuration names one that no catalogue has.
    """
    store = Store()
    return [store.catalogue[name].name for name in models_of(config) if not store.installed(name)]


def start(paths: Paths, *, detach: bool, ready_limit: float = READY_LIMIT_S) -> tuple[subprocess.Popen[bytes], float]:
    """Start supervisord and its stages, and return it with the seconds until all were ready.

    Args:
        paths: the service's paths.
        detach: let it outlive this process; else it ends when this process does.
        ready_limit: seconds to wait for the stages.

    Raises:
        AlreadyRunning: one runs there, or works with the same state directory.
        NotEnough: there is no room for it, or too few files may be open.
        ServiceError: a stage did not come up; the message says which and why. Nothing is left running.
        ConfigError, PathError, RuntimeConflict: as the names say, before anything is started.
    """
    preflight.raise_descriptor_limit()
    paths.ensure()
    config = settled(paths, load_config(paths.config))
    check_onnxruntime()
    check_languages(config, Store().catalogue)
    if detach and "stdout" in config.inject.backends:
        raise ServiceError('the "stdout" back end needs a terminal to write to; run `sottovoce up` without --detach')
    try:
        lock = NameLock(paths.lock("service"))  # two `up` at once: one starts, one is told
    except EndpointBusy as error:
        raise AlreadyRunning(f"another `sottovoce up` is at work in {paths.runtime}") from error
    state: StateLock | None = None
    try:
        if (pid := running(paths)) is not None:
            raise AlreadyRunning(f"the service runs already (supervisord is process {pid}); see `sottovoce status`")
        preflight.require_writable(paths)
        state = StateLock(paths)
        preflight.require_room(paths, config)
        _check_journal(paths, config)
        fallback.forget(paths)
        modes.forget(paths)
        paths.supervisor_config.touch(mode=0o600)
        paths.supervisor_config.write_text(generate(paths, config))
        subscriber = Subscriber(paths, ("state.stage", "notice"))
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(paths.supervisor_config)],
            stdin=subprocess.DEVNULL,
            # It prints its own troubles, too; only the back end needs it.
            stdout=None if "stdout" in config.inject.backends else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if detach else None,
            umask=0o077,
            pass_fds=[state.fd],
            start_new_session=True,  # Ctrl-C reaches `up` alone, which then ends the service in order
            preexec_fn=None if detach else partial(end_with_parent, signal.SIGTERM, os.getpid()),  # noqa: PLW1509 - as in tool.py
        )
        try:
            _wait_ready(paths, subscriber, set(stages(config)), process, ready_limit)
        except BaseException:
            process.terminate()
            process.wait(STOP_WAIT_S * 3)
            sweep(paths)
            raise
        finally:
            subscriber.close()
        return process, time.monotonic() - began
    finally:
        if state is not None:
            state.close()
        lock.release()


def _check_journal(paths: Paths, config: Config) -> None:
    """Open the journal once, before eight processes find that they cannot.

    Raises:
        JournalError: it cannot be used, e.g. since a newer version wrote it.
    """
    path = paths.journal(keep=config.history.keep)
    if (aside := set_aside_damaged(path)) is not None:
        print(f"the journal was damaged and is kept as {aside}; a new one is begun", file=sys.stderr)
    journal = Journal(path, keep=config.history.keep)
    try:
        journal.touch()  # a full disk is told now, not in mid-sentence
        _tell_other_boot(journal)
    finally:
        journal.close()


def _tell_other_boot(journal: Journal) -> None:
    """Say what the machine's last boot left unfinished, and what becomes of it."""
    texts = sum(row.boot != boot_id() for row in journal.newest("transcribed", "transformed", "intent"))
    lost = sum(row.boot != boot_id() for row in journal.newest("segmented"))
    cut = sum(recording.boot != boot_id() and not recording.drained for recording in journal.open_recordings())
    if texts:
        print(
            f"{texts} utterances of another boot are not typed any more, but offered: sottovoce history list",
            file=sys.stderr,
        )
    if lost or cut:
        print(
            f"the machine was restarted in the midst of a recording: the audio of {lost} utterances, and of what was "
            "said last, was in memory and is gone",
            file=sys.stderr,
        )


def _wait_ready(
    paths: Paths, subscriber: Subscriber, waiting: set[str], process: subprocess.Popen[bytes], limit: float
) -> None:
    deadline = time.monotonic() + limit
    woken = False
    while waiting:
        # supervisord sleeps for a second before it starts its first program, unless somebody calls.
        woken = woken or _wake(paths)
        if process.poll() is not None:
            raise ServiceError(f"supervisord ended with code {process.returncode}; see `sottovoce logs supervisord`")
        if time.monotonic() > deadline:
            raise ServiceError(
                f"not ready after {limit:g} s: {', '.join(sorted(waiting))}; see `sottovoce logs {min(waiting)}`"
            )
        subscriber.wait(0.1 if woken else 0.01)
        for event in subscriber.drain():
            body = event.body
            if isinstance(body, StageState) and body.state == "ready":
                waiting.discard(body.stage)
            elif isinstance(body, Notice) and body.code == "fallback":
                print(f"{body.stage}: {body.text}", file=sys.stderr)
            elif isinstance(body, Notice) and body.code == "parked.stt-draft":
                print(body.text, file=sys.stderr)  # all that is said is typed without it
                waiting.discard("stt-draft")
            elif isinstance(body, Notice) and body.level == "error" and body.code.startswith(_HOPELESS):
                raise ServiceError(f"{body.stage}: {body.text}")


def running(paths: Paths) -> int | None:
    """Return the process id of the supervisord that answers in this runtime directory, or None.

    Raises:
        ServiceError: there is one, and it is stopped: it can neither answer nor end.
    """
    try:
        pid = int((paths.runtime / "supervisord.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    if os.fsencode(paths.supervisor_config) in command.split(b"\0") and frozen(pid):
        raise ServiceError(f"supervisord (process {pid}) is stopped; let it go on with: kill -CONT {pid}")
    return pid if _wake(paths) else None


def _wake(paths: Paths) -> bool:
    """Make supervisord turn its loop now; False if none answers."""
    if not paths.supervisor_socket.exists():
        return False
    try:
        Supervisor(paths.supervisor_socket).wake()
    except SupervisorUnreachable:
        return False
    return True


def stop(paths: Paths, *, limit: float = DRAIN_LIMIT_S) -> bool:
    """End the service once what was said is typed, or after `limit` seconds; False if none ran.

    Raises:
        ServiceError: it does not end.
    """
    pid = running(paths)
    if pid is None:
        return False
    pidfd = os.pidfd_open(pid)
    try:
        try:
            request(paths.control, "shutdown", {"limit": limit})
        except ControlError:  # no conductor; supervisord itself can still be asked
            with contextlib.suppress(ActorError):
                Supervisor(paths.supervisor_socket).shutdown()
        deadline = time.monotonic() + limit + STOP_WAIT_S * 2
        while not _ended(pidfd, 0.1) and time.monotonic() < deadline:
            _wake(paths)  # by itself it looks at its children once a second
        if not _ended(pidfd, 0):
            raise ServiceError(f"supervisord (process {pid}) does not end; see `sottovoce logs supervisord`")
    finally:
        os.close(pidfd)
    sweep(paths)
    return True


def _ended(pidfd: int, seconds: float) -> bool:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(round(seconds * 1000)))


def sweep(paths: Paths) -> None:
    """Remove what a service that no longer runs left in its runtime directory.

    The ring stays if speech in it has not been decoded: it is the only copy, and the next start goes on from it. With
    `keep = "none"` the journal, which is in memory then, goes with the rest.
    """
    if running(paths) is not None:
        return
    keep_ring = False
    keep = load_config(paths.config).history.keep
    path = paths.journal(keep=keep)
    if path.exists():
        with contextlib.suppress(JournalError):
            journal = Journal(path, keep=keep)
            keep_ring = journal.undrained() is not None or journal.oldest("segmented") is not None
            journal.close()
    own = {*stages(Config()), "supervisord", "supervisor", "service", "decode", "ring", "audio", "control"}
    if keep == "none" and not keep_ring:
        own.add("journal")
    for directory in {paths.runtime, paths.shared}:
        for file in directory.iterdir():
            if file.name.split(".")[0] not in own or (keep_ring and file == paths.ring):
                continue
            file.unlink(missing_ok=True)
        if directory != paths.runtime and not any(directory.iterdir()):
            directory.rmdir()


def status(paths: Paths) -> dict[str, object]:
    """Return what `sottovoce status --json` prints.

    Raises:
        ControlError: no service answers.
    """
    pipeline = request(paths.control, "status")
    processes, supervisord = {}, "running"
    try:
        running(paths)  # one that is stopped is not worth waiting for
        processes = Supervisor(paths.supervisor_socket).processes()
    except (ActorError, ServiceError) as error:
        supervisord = str(error)
    return {
        **pipeline,
        "supervisord": supervisord,
        "stages": {
            name: {"pid": info["pid"], "state": info["statename"].lower(), "up_s": max(0, info["now"] - info["start"])}
            for name, info in sorted(processes.items())
        },
    }


def wait_for(process: subprocess.Popen[bytes], on_signal: Callable[[], object]) -> int:
    """Wait for supervisord's end; SIGINT and SIGTERM call `on_signal` first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: on_signal())
    return process.wait()
