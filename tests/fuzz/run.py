"""Coverage-guided fuzzing: `run.py --seconds N [TARGET ...]`, and `run.py --minimise [TARGET ...]`; see README.md.

What is found new lies in build/fuzz/TARGET until it is merged into the corpus; what breaks a decoder, in
build/fuzz/TARGET-crash-... (or -timeout-, -oom-).
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
BUILD = HERE.parents[1] / "build" / "fuzz"
LIMITS = ("-timeout=5", "-rss_limit_mb=1500", "-max_len=8000")
sys.path.insert(0, str(HERE.parent))


def one(name: str, options: list[str]) -> None:
    """Be the fuzzer of one target; never returns."""
    import atheris

    with atheris.instrument_imports(include=["sottovoce", "tomllib", "json", "zipfile"]):
        from fuzz.targets import TARGETS
    atheris.Setup([str(_launcher(name)), *options], TARGETS[name])
    atheris.Fuzz()


def _launcher(name: str) -> Path:
    """Return a program that is `one(name, ...)`: libFuzzer runs its own argv[0] again to merge."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{name}.sh"
    words = shlex.join([sys.executable, str(HERE / "run.py"), "--one", name])
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o700)
    return path


def _folders(name: str) -> tuple[Path, Path]:
    """Return the folder of what is new and the one of the corpus, which is begun with the seeds."""
    from fuzz.targets import seeds

    new, kept = BUILD / name, CORPUS / name
    for folder in (new, kept):
        folder.mkdir(parents=True, exist_ok=True)
    if not any(kept.iterdir()):
        for number, seed in enumerate(seeds()[name]):
            (kept / f"seed-{number:02}").write_bytes(seed)
    return new, kept


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one target for so long; return its exit code, 0 if nothing broke it."""
    new, kept = _folders(name)
    limits = (f"-max_total_time={seconds}", f"-artifact_prefix={BUILD}/{name}-", "-print_final_stats=1", *LIMITS)
    return subprocess.run([_launcher(name), *limits, new, kept], check=False).returncode


def minimise(name: str) -> None:
    """Make the corpus the smallest set of inputs that covers what corpus and new finds cover; named ones stay."""
    new, kept = _folders(name)
    with tempfile.TemporaryDirectory() as merged:
        subprocess.run([_launcher(name), "-set_cover_merge=1", *LIMITS, merged, kept, new], check=True)
        for file in kept.iterdir():
            if len(file.name) == 40:  # libFuzzer's names are SHA-1 sums
                file.unlink()
        seeds = {file.read_bytes() for file in kept.iterdir()}
        for file in Path(merged).iterdir():
            if file.read_bytes() not in seeds:
                shutil.copy(file, kept)


def main() -> None:
    """Do what the command line says."""
    from fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--minimise", action="store_true", help="merge what was found into the corpus")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET")
    arguments = parser.parse_args()
    broken = []
    for name in arguments.targets or TARGETS:
        print(f"== {name}", flush=True)
        if arguments.minimise:
            minimise(name)
        elif fuzz(name, arguments.seconds):
            broken.append(name)
    if broken:
        sys.exit(f"broken: {', '.join(broken)}; the inputs are {BUILD}/TARGET-crash-*")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3:])
    main()
