"""What a process takes, and what it gives back."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.models.footprint import family, footprint, uncache

GROWS = """
from sottovoce.models.footprint import footprint, trim
small = [bytes(1000) for _ in range(200_000)]
full = footprint().pss
kept = small[::50_000]
del small
trim()
print(full, footprint().pss, footprint().peak)
"""


def test_freed_memory_is_given_back() -> None:
    """What many small objects took is the machine's again after `trim`; the peak stays what it was."""
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("needs glibc, whose malloc has a trim")
    environment = os.environ | {"PYTHONMALLOC": "malloc"}
    said = subprocess.run([sys.executable, "-c", GROWS], env=environment, capture_output=True, check=True, text=True)
    full, trimmed, peak = map(int, said.stdout.split())
    assert full > 200e6
    assert trimmed < full - 150e6
    assert peak >= 200e6


def test_of_another_process() -> None:
    """Another process of the user's can be measured, and one that has ended has no size."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    try:
        found = footprint(process.pid)
    finally:
        process.communicate()
    assert found is not None
    assert 0 < found.pss <= found.peak
    assert footprint(process.pid) is None


def test_with_all_that_it_has_started() -> None:
    """The children of a process, and theirs, count with it."""
    alone = footprint()
    process = subprocess.Popen(["sh", "-c", "cat; :"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        process.stdout.read(1)  # the shell's child is there
        shell, both = footprint(process.pid), family(process.pid)
        everyone = family()
    finally:
        process.communicate()
    assert alone is not None
    assert shell is not None
    assert both is not None
    assert everyone is not None
    assert both.peak > shell.peak
    assert both.pss > shell.pss
    assert everyone.peak >= alone.peak + both.peak
    assert family(process.pid) is None


def cached(path: Path) -> int:
    """Return how many bytes of a file the kernel has in memory (mincore(2): to look brings nothing in)."""
    if (fincore := shutil.which("fincore")) is None:
        pytest.skip("needs fincore: apt install util-linux")
    told = subprocess.run([fincore, "-b", "-n", "-o", "RES", str(path)], capture_output=True, text=True, check=True)
    return int(told.stdout)


def test_files_are_dropped_from_the_cache(tmp_path: Path) -> None:
    """The kernel forgets what it kept of a file; what is not there is passed over."""
    file = tmp_path / "model"
    file.write_bytes(bytes(1_000_000))
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        stream.read()
    assert cached(file) >= 1_000_000
    assert uncache([file, tmp_path / "nothing"]) == 1_000_000
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    if kind.strip() in {"tmpfs", "ramfs"}:
        pytest.skip("needs a temporary directory on a disk, not in memory; name one with --basetemp")
    assert cached(file) < 1_000_000
