"""The doctor's checks of the service: whether it runs, what its stages do, and what one that was killed has left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sottovoce.actors.base import STATES
from sottovoce.actors.exceptions import EXIT_UNMENDABLE, ActorError
from sottovoce.actors.process import frozen
from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import preflight, service
from sottovoce.ops.exceptions import NotEnough, ServiceError
from sottovoce.ops.finding import Finding, failed, ok, problem, skipped, warning
from sottovoce.ops.supervision import stages
from sottovoce.protocol.config import Config
from sottovoce.protocol.control import request
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.paths import Paths
from sottovoce.shm import CountersView, ShmError

_ANSWER_S = 2.0  # the conductor answers within 10 ms, and within 0.3 s where all processors are busy for others


def service_runs(paths: Paths) -> bool:
    """Tell whether a supervisord is there, even one that is stopped."""
    try:
        return service.running(paths) is not None
    except ServiceError:
        return True


def supervisor(paths: Paths) -> tuple[dict[str, dict[str, Any]] | None, Finding]:
    """Ask supervisord for its processes; None where the service does not run, {} where it does not tell."""
    try:
        pid = service.running(paths)
        if pid is None:
            return None, problem("service", "it does not run", "sottovoce up --detach")
        return Supervisor(paths.supervisor_socket).processes(), ok("service", f"it runs, supervisord is process {pid}")
    except (ServiceError, ActorError) as error:
        return {}, failed("service", error)


def pipeline(
    paths: Paths, config: Config | None, processes: Mapping[str, Mapping[str, Any]] | None
) -> Iterator[Finding]:
    """Tell whether the conductor answers, and what has become of each stage."""
    if processes is None:
        return
    try:
        status = request(paths.control, "status", timeout=_ANSWER_S)
        yield ok("control", f"the service answers: {status['state']}, {status['waiting']} utterances wait")
    except ControlError:
        yield problem("control", "the conductor does not answer", "sottovoce restart conductor")
    for name in stages(config or Config()):
        yield stage(paths, name, processes.get(name))


def stage(paths: Paths, name: str, info: Mapping[str, Any] | None) -> Finding:
    """Tell of a stage, from what supervisord says of it (None if it does not say) and from its counters page."""
    label, again = f"stage {name}", f"sottovoce logs {name}, mend the cause, then: sottovoce restart {name}"
    if info is not None and not info["pid"]:
        state = str(info["statename"]).lower()
        if info["exitstatus"] == EXIT_UNMENDABLE and state == "exited":
            return problem(label, "it has ended, since starting it again would not help", again)
        if state in {"starting", "backoff"}:
            return warning(label, "it is being started again")
        return problem(label, f"it does not run ({state})", again)
    pid = live_pid(paths, name)
    if pid and frozen(pid):
        return problem(label, f"process {pid} is stopped", f"the warden replaces it; if not: kill -CONT {pid}")
    if not pid:
        return warning(label, "it does not work yet, or does not run", f"if this stays so: {again}")
    state = doing(paths, name)
    return (ok if state in {"ready", "busy"} else warning)(label, f"{state}, process {pid}")


def live_pid(paths: Paths, name: str) -> int:
    """Return the process that has a stage's counters page, 0 where there is none that lives."""
    if not paths.runtime.exists():
        return 0
    try:
        with CountersView.attach(paths.counters(name)) as view:
            return view.pid if view.alive else 0
    except ShmError:
        return 0


def doing(paths: Paths, name: str) -> str:
    """Return what a stage says that it does: one of `STATES`, or "unknown"."""
    try:
        with CountersView.attach(paths.counters(name)) as view:
            return STATES[view.counters()["state"]]
    except (ShmError, IndexError, KeyError):
        return "unknown"


def left_behind(paths: Paths) -> Finding:
    """Tell what a service that no longer runs has left: sockets, the ring, or even processes."""
    name = "left behind"
    if not paths.runtime.is_dir():
        return ok(name, "nothing")
    if alive := [f"{pid} ({stage})" for stage in stages(Config()) if (pid := live_pid(paths, stage))]:
        return problem(
            name, f"stages live without their supervisord: process {', '.join(alive)}",
            "stages end with their supervisord within a second; end these with kill",
        )  # fmt: skip
    sockets = sum(path.is_socket() for path in paths.runtime.iterdir())
    try:
        ring = paths.ring.exists()
    except ShmError as error:  # open to others, or not in memory
        return failed(name, error)
    if ring:
        return warning(
            name, f"the audio ring and {sockets} sockets of a service that was killed",
            "sottovoce up goes on with what was said and not typed, and clears them away when it ends",
        )  # fmt: skip
    if sockets:
        return warning(name, f"{sockets} sockets of a service that was killed", "sottovoce up replaces them")
    return ok(name, "nothing")


def room(paths: Paths, config: Config | None) -> Finding:
    """Tell whether there is room for what a service needs, before it is started."""
    if config is None or not paths.runtime.is_dir():
        return skipped("room", "is looked at where there is a runtime directory and a sound configuration")
    try:
        preflight.require_room(paths, config)
    except (NotEnough, ShmError) as error:
        return failed("room", error)
    return ok("room", f"there is enough in {paths.shared}")
