"""Taking turns: who decodes has it, and a process that dies gives it back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sottovoce.actors.turns import Turns

HOLD = """
import sys
from pathlib import Path
from sottovoce.actors.turns import Turns
with Turns(Path(sys.argv[1])).mine():
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_the_turn_is_one_processs(tmp_path: Path) -> None:
    """While another process has it, it is taken; when that one is killed, it is free at once."""
    turns = Turns(tmp_path / "turn")
    assert not turns.taken
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "turn")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        assert turns.taken
        other.kill()
        other.wait()
    assert not turns.taken
    with turns.mine():
        assert Turns(tmp_path / "turn").taken
    turns.close()
    turns.close()


def test_in_parallel_nobody_waits() -> None:
    """Without a file there is no turn to take."""
    turns = Turns(None)
    with turns.mine(), turns.mine():
        assert not turns.taken
    turns.close()
