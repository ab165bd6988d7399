"""What a private service leaves, or must not. The service itself runs in tests/system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.ops.private import leftovers, private_service
from sottovoce.protocol.exceptions import ConfigError
from sottovoce.protocol.paths import Paths


def test_nothing_is_left_of_nothing(paths: Paths) -> None:
    """Directories without a file, and no process that belongs to them."""
    assert leftovers(paths) == []


def test_a_socket_a_ring_and_a_process_are_found(paths: Paths) -> None:
    """Whatever a service may leave in its runtime directory is named, and so is a process of its own anywhere."""
    (paths.runtime / "vad.events").touch()
    paths.ring.touch()
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        env={**os.environ, **paths.environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert set(leftovers(paths)) == {str(paths.runtime / "vad.events"), str(paths.ring), f"process {process.pid}"}
        process.kill()
    assert set(leftovers(paths)) == {str(paths.runtime / "vad.events"), str(paths.ring)}


def test_a_ring_beside_the_runtime_directory_is_found(tmp_path: Path) -> None:
    """Where the runtime directory is on a disk the mappings live elsewhere in memory, and are looked for there."""
    other = Paths(tmp_path / "run", tmp_path / "state", tmp_path / "config.toml").ensure()
    if other.shared == other.runtime:
        pytest.skip("the temporary directory is in memory itself; set TMPDIR to one on a disk")
    try:
        other.ring.touch()
        assert leftovers(other) == [str(other.ring)]
    finally:
        other.ring.unlink()
        other.shared.rmdir()


def test_a_service_that_does_not_start_leaves_no_directory(tmp_path: Path) -> None:
    """With a wrong configuration it fails as `up` does, and its directories go all the same."""
    with pytest.raises(ConfigError, match="nonsense"), private_service(config="nonsense = 1\n", root=tmp_path):
        pytest.fail("the service has started")
    assert list(tmp_path.iterdir()) == []
