"""Why somebody cannot dictate: looks at everything that dictation needs, from Python to the window.

Nothing is started, opened for recording, changed or mended, and what is wrong in one place keeps nothing else from
being looked at. Works with the service up, down, or in part. The service's checks are in `ops.vitals`,
the microphone's in `ops.hearing`, those of hook and rewrite in `ops.outside`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from sottovoce.actors.inject import Chain, choose
from sottovoce.models import ModelError, Store
from sottovoce.models.exceptions import RuntimeConflict
from sottovoce.models.runtime import check_onnxruntime
from sottovoce.ops import hearing, service, vitals
from sottovoce.ops.finding import Finding, failed, ok, problem, skipped, warning
from sottovoce.ops.outside import outside
from sottovoce.protocol.config import Config, load_config
from sottovoce.protocol.exceptions import ConfigError, PathError
from sottovoce.protocol.paths import Paths, private_directory

_PYTHON = (3, 11)
_DESKTOP = ("WAYLAND_DISPLAY", "DISPLAY")


def examine(paths: Paths) -> Iterator[Finding]:
    """Yield what each check finds, in the order in which a person should mend it."""
    yield python(sys.version_info[:3])
    yield onnxruntime()
    found, config = configuration(paths)
    yield found
    yield from directories(paths)
    if config is None:
        yield skipped("models", "which are needed is not known without the configuration")
    else:
        yield from models(config)
    processes, found = vitals.supervisor(paths)
    yield found
    if processes is None:
        yield vitals.left_behind(paths)
        yield vitals.room(paths, config)
    yield from vitals.pipeline(paths, config, processes)
    if config is None:
        yield skipped("microphone", "which is wanted is not known without the configuration")
        yield skipped("typing", "where text is to go is not known without the configuration")
        return
    capture = vitals.live_pid(paths, "capture")
    yield from hearing.microphone(config.capture, capture)
    yield from hearing.counted(paths, config.capture)
    yield from outside(config, environment(vitals.live_pid(paths, "transform")))
    yield typing(config, environment(vitals.live_pid(paths, "inject")))


# -- what is installed -------------------------------------------------------------------------------------------------


def python(version: tuple[int, ...]) -> Finding:
    """Tell whether this Python is new enough."""
    name = ".".join(map(str, version))
    if version < _PYTHON:
        return problem("python", f"Python {name} is too old", "install Sottovoce with Python 3.11 or newer")
    return ok("python", f"Python {name}, {sys.executable}")


def onnxruntime() -> Finding:
    """Tell whether exactly one build of ONNX Runtime is installed."""
    try:
        found = check_onnxruntime()
    except RuntimeConflict as error:
        return failed("onnxruntime", error)
    return ok("onnxruntime", f"ONNX Runtime {found.version}, the {found.flavour.upper()} build")


def configuration(paths: Paths) -> tuple[Finding, Config | None]:
    """Read the configuration; None where it is not right."""
    try:
        config = load_config(paths.config)
    except ConfigError as error:
        line = where(paths.config, str(error))
        return failed("configuration", ConfigError(f"line {line}: {error}" if line else str(error))), None
    if not paths.config.exists():
        return ok("configuration", f"{paths.config} is not there, so all defaults"), config
    try:
        started = paths.supervisor_config.stat().st_mtime
    except FileNotFoundError:
        started = None
    if started is not None and paths.config.stat().st_mtime > started and vitals.service_runs(paths):
        return warning(
            "configuration", f"{paths.config} was changed after the service was started, which does not know of it",
            "sottovoce down, then sottovoce up --detach",
        ), config  # fmt: skip
    return ok("configuration", f"{paths.config} is sound"), config


def where(path: Path, text: str) -> int:
    """Return the line of the file that an error of `load_config` is about, found by the key it names; 0 if unknown."""
    place = re.search(r"at `\$\.?([^`\[]*)", text)
    unknown = re.search(r"unknown field `([^`]*)`", text)  # the path is that of its table
    wanted = ".".join(match[1] for match in (place, unknown) if match and match[1])
    try:
        lines = path.read_text().splitlines() if wanted else []
    except (OSError, UnicodeDecodeError):
        return 0
    table = ""
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = header[1].strip()
            if table == wanted:
                return number
        elif (key := re.match(r"\s*([\w.\"-]+)\s*=", line)) and f"{table}.{key[1]}".strip(".") == wanted:
            return number
    return 0


def directories(paths: Paths) -> Iterator[Finding]:
    """Tell whether the directories are ours and closed to others."""
    for name, path in (("runtime directory", paths.runtime), ("state directory", paths.state)):
        if not os.path.lexists(path):
            yield ok(name, f"{path} is not there yet; `sottovoce up` makes it")
            continue
        try:
            private_directory(path)
        except PathError as error:
            yield failed(name, error)
        else:
            yield ok(name, f"{path} is yours alone")


def models(config: Config) -> Iterator[Finding]:
    """Tell of each model that the configuration needs whether it is here and whole, by its checksums."""
    try:
        store = Store()
    except ModelError as error:
        yield failed("models", error)
        return
    for model in service.models_of(config):
        name = f"model {model}"
        try:
            store.verify(model)
        except ModelError as error:
            yield failed(name, error)
        else:
            yield ok(name, "is here, and its files are sound")


# -- where text goes ---------------------------------------------------------------------------------------------------


def environment(pid: int) -> dict[str, str]:
    """Return the environment with which a process was started, this one's for 0 or where that cannot be read."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if pid else []
    except OSError:
        entries = []
    read = dict(os.fsdecode(entry).split("=", 1) for entry in entries if b"=" in entry)
    return read or dict(os.environ)


def typing(config: Config, environ: Mapping[str, str]) -> Finding:
    """Tell which back end would type in the session of `environ`, the service's where it runs."""
    session = "Wayland" if environ.get("WAYLAND_DISPLAY") else "X11" if environ.get("DISPLAY") else "no"
    chain: Chain = choose(config.inject.backends, environ=environ, file=config.inject.file or None)
    try:
        why = {backend.name: backend.available() for backend in chain.backends if backend.name != "file"}
    finally:
        chain.close()
    if "file" in {backend.name for backend in chain.backends}:
        why["file"] = unwritable(Path(config.inject.file))
    usable = [backend.name for backend in chain.backends if why[backend.name] is None]
    reasons = "; ".join(f"{name}: {reason}" for name, reason in why.items() if reason)
    if usable:
        rest = f" ({reasons})" if reasons else ""
        return ok("typing", f"{session} session, {usable[0]} types{rest}")
    advice = "see `[inject] backends` for others"
    if here := [name for name in _DESKTOP if os.environ.get(name) and not environ.get(name)]:
        advice = f"the service was started without {' and '.join(here)}: end it, and start it from the desktop"
    return problem("typing", f"{session} session, and nothing can be typed: {reasons}", advice)


def unwritable(path: Path) -> str | None:
    """Return why a file cannot be appended to; None if it can, or can be made. The back end itself would make it."""
    target = path if path.exists() else path.parent
    return None if os.access(target, os.W_OK) else f"{target} cannot be written to"
