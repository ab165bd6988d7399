"""The doctor's checks of what a text passes through outside the service: the hook, and the server that rewrites."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sottovoce.actors.transform.hook import Hook
from sottovoce.actors.transform.refusals import RewriteFailed
from sottovoce.actors.transform.rewrite import Rewrite
from sottovoce.ops.finding import Finding, failed, ok, problem, warning
from sottovoce.protocol.config import Config
from sottovoce.protocol.config_outside import HookConfig, RewriteConfig

_WITHIN_S: Final = 1.0
"""A server that takes longer to say that it is there has no time left to rewrite in."""


def outside(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Tell of each of the two, if it is switched on, whether it can be used.

    Args:
        config: which.
        environ: the environment of the stage that uses them: where programs and keys are looked for.
    """
    if config.hook.command:
        yield hook(config.hook, environ)
    if config.rewrite.url:
        yield rewrite(config.rewrite, environ)


def hook(config: HookConfig, environ: Mapping[str, str]) -> Finding:
    """Tell whether the program is there and can be run, and whether others could put another in its place."""
    name, runner = "hook", Hook(config, environ=environ)
    if why := runner.missing():
        return problem(name, f"{why}: texts are typed without it", "install it, chmod +x it, or correct [hook] command")
    program = runner.program() or config.command[0]
    for file in (program, *filter(is_file, config.command[1:])):  # a script, handed to its interpreter
        if (open_to_all := writable_by_all(Path(file))) is not None:
            return warning(
                name, f"{open_to_all} can be written by everybody, and {file} is handed each of your texts",
                f"chmod o-w {open_to_all}",
            )  # fmt: skip
    return ok(name, f"{program} is there, and can be run")


def is_file(argument: str) -> bool:
    """Tell whether an argument of the hook is the path of a file; it is run in the root directory."""
    try:
        return argument.startswith("/") and Path(argument).is_file()
    except (OSError, ValueError):  # too long to be a path, say
        return False


def writable_by_all(path: Path) -> Path | None:
    """Return what everybody could use to change a file: it, or its directory; None for neither.

    In a directory with the sticky bit, as `/tmp` has it, nobody can replace what belongs to somebody else.
    """
    file = path.resolve()
    if file.stat().st_mode & stat.S_IWOTH:
        return file
    mode = file.parent.stat().st_mode
    return file.parent if mode & stat.S_IWOTH and not mode & stat.S_ISVTX else None


def rewrite(config: RewriteConfig, environ: Mapping[str, str]) -> Finding:
    """Tell whether the server answers, by its own certificate, and knows the key, which nobody else can read.

    It is asked which models there are; no text is sent.
    """
    name = "rewrite"
    try:
        asked = Rewrite(config, environ=environ)
    except RewriteFailed as error:
        return failed(name, error)
    try:
        asked.reach(_WITHIN_S)
    except RewriteFailed as error:
        return problem(
            name, f"{error}: texts are typed as they are", "start that server, or correct [rewrite]; see docs/hooks.md"
        )  # fmt: skip
    finally:
        asked.close()
    return ok(name, f"{urlsplit(config.url).netloc} answers; each text is sent there")
