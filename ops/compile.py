"""Compile the transform: `python -m sottovoce.ops.compile`, which `make` runs.

Without a C compiler, or without Python's headers, nothing is done and all works as well: an utterance takes the
transform 60 us then, and not 30 (`sottovoce bench transform`). Exit code 0 in any case, and one line where it was not.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from sottovoce.actors.transform.compiled import MODULES, SOURCE, STORE, folder

GROUP = "sottovoce.actors.transform.transform"
"""Of the library that all modules share, which is named after it."""


def compile_transform() -> str | None:
    """Compile what is not compiled yet, and remove what was compiled of another source.

    Returns:
        Why it could not be done; None if all is well.
    """
    done = folder()
    if done.is_dir():
        return None
    if (why := lacking()) is not None:
        return why
    STORE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STORE) as temporary:
        begun = Path.cwd()
        os.chdir(temporary)  # mypyc names modules by their paths from here
        try:
            built = _built(Path(temporary))
        finally:
            os.chdir(begun)
        for old in STORE.iterdir():
            if old != Path(temporary):
                shutil.rmtree(old, ignore_errors=True)
        built.rename(done)
    return None


def lacking() -> str | None:
    """Return what is missing to compile anything; None where nothing is."""
    if not shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]):
        return "there is no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "the headers of Python are not installed (Debian: apt install python3-dev)"
    return None


def _built(at: Path) -> Path:
    """Return a folder with the compiled modules."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    (at / "sottovoce").mkdir()
    for package in ("actors", "protocol", "shm", "models", "ops"):
        (at / "sottovoce" / package).symlink_to(SOURCE.parents[1] / package)
    files = [f"sottovoce/actors/transform/{name}.py" for name in MODULES]
    options = ["--ignore-missing-imports", "--namespace-packages", "--explicit-package-bases"]
    extensions = mypycify([*options, *files], opt_level="1", debug_level="0", group_name=GROUP, target_dir="c")
    distribution = Distribution({"name": "sottovoce", "ext_modules": extensions})
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = "built", "objects"
    command.ensure_finalized()
    command.run()
    return at / "built"


def main() -> None:
    """Do it."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            why = compile_transform()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a compiler may lack, the service runs without
        why = f"{said.getvalue()[-2000:]}\n{error}"
    if why is not None:
        print(f"the transform is not compiled, and takes twice the time: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
