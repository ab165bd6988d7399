"""Compile the transform: `python -m sottovoce.ops.compile`, which `make` runs.

Without a C compiler, or without Python's headers, nothing is done and all works as well: an utterance takes the
transform twice the time then (`sottovoce bench transform`). Exit code 0 in any case, and a line where it was not done.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from sottovoce.actors.transform.compiled import MODULES, SOURCE, STORE, folder

GROUP = "sottovoce.actors.transform.transform"
"""What the library that all modules share is named after."""


def compile_transform() -> str | None:
    """Compile what is not compiled yet, and remove what was compiled of another source.

    Returns:
        Why it could not be done, told once for a source that cannot be compiled; None if there is nothing to tell.
    """
    done = folder()
    if done.is_dir():
        return None
    if (why := lacking()) is not None:
        return why
    STORE.mkdir(exist_ok=True)
    for old in STORE.glob("[!.]*"):
        shutil.rmtree(old, ignore_errors=True)
    said = io.StringIO()
    with tempfile.TemporaryDirectory(dir=STORE, prefix=".") as temporary, contextlib.redirect_stdout(said):
        try:
            _build(Path(temporary)).rename(done)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - compilers fail in many ways, and nothing depends on it
            done.mkdir(exist_ok=True)  # an empty one: it would go wrong again
            return f"{said.getvalue()}{error}"
    return None


def lacking() -> str | None:
    """Return what is missing to compile anything; None where nothing is."""
    if not shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]):
        return "there is no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "the headers of Python are not installed (Debian: apt install python3-dev)"
    return None


def _build(at: Path) -> Path:
    """Return a folder with the compiled modules, in an empty one."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    (at / "sottovoce").mkdir()
    for package in ("actors", "protocol", "shm", "models", "ops"):
        (at / "sottovoce" / package).symlink_to(SOURCE.parents[1] / package)
    files = [f"sottovoce/actors/transform/{name}.py" for name in MODULES]
    options = ["--ignore-missing-imports", "--namespace-packages", "--explicit-package-bases"]
    with contextlib.chdir(at):  # mypyc names modules by their paths from there
        # Level 3 compiles for 42 s in the place of 30, and no utterance takes less time for it.
        extensions = mypycify([*options, *files], opt_level="1", debug_level="0", group_name=GROUP, target_dir="c")
        command = Distribution({"name": "sottovoce", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = "built", "objects"
        command.ensure_finalized()
        command.run()
    return at / "built"


if __name__ == "__main__":
    if (reason := compile_transform()) is not None:
        print(f"the transform is not compiled, and takes twice the time: {reason}", file=sys.stderr)
