"""The file that names what is decoded on speculation."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.actors.speculation import Peril

DIES = """
import os, pathlib, signal, sys
from sottovoce.actors.speculation import Peril
with Peril(pathlib.Path(sys.argv[1])).of("utterance 7") as named:
    assert named
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_decode_that_ends_leaves_nothing(tmp_path: Path) -> None:
    """However it ends, with an error too, a successor has nothing to shun."""
    peril = Peril(tmp_path / "name")
    with peril.of("utterance 7") as named:
        assert named
        assert Peril(tmp_path / "name").shunned == "utterance 7"
    with pytest.raises(ValueError, match="broke"), peril.of("utterance 8"):
        raise ValueError("broke")
    assert Peril(tmp_path / "name").shunned == ""


def test_a_process_that_dies_of_one_tells_its_successor(tmp_path: Path) -> None:
    """The name outlives the process that was killed in the decode."""
    died = subprocess.run([sys.executable, "-c", DIES, str(tmp_path / "name")], check=False)
    assert died.returncode == -signal.SIGKILL
    assert Peril(tmp_path / "name").shunned == "utterance 7"


def test_without_room_for_the_name_nothing_is_tried(tmp_path: Path) -> None:
    """Where the file cannot be written whoever asks is told so, and goes without."""
    with Peril(tmp_path / "gone" / "name").of("utterance 7") as named:
        assert not named
    assert list(tmp_path.iterdir()) == []
