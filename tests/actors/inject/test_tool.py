from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from stages import wait_until

from sottovoce.actors.inject import tool


def test_a_tool_that_hangs_is_killed_in_time() -> None:
    """No tool holds the injector for longer than its limit."""
    began = time.monotonic()
    done = tool.run(["sleep", "60"], environ=os.environ, timeout=0.2)
    assert time.monotonic() - began < 5
    assert done.why == "sleep did not finish within 0.2 s"
    assert done.code == -9


def test_a_tool_that_is_not_there_never_started(tmp_path: Path) -> None:
    """Neither a missing tool nor one that cannot be run counts as started."""
    (tmp_path / "broken").write_bytes(b"\x7fELF")
    (tmp_path / "broken").chmod(0o700)
    environ = {"PATH": str(tmp_path)}
    assert tool.run(["absent"], environ=environ, timeout=1).code is None
    assert tool.run(["broken"], environ=environ, timeout=1).code is None
    assert tool.missing("absent", environ, "absent-utils") == "absent is not installed: apt install absent-utils"


def test_text_goes_through_standard_input_in_utf_8() -> None:
    """The tool reads the very text, whatever our own locale is."""
    done = tool.run(["cat"], text="-é 你\n", environ={**os.environ, "LC_ALL": "C"}, timeout=60)
    assert (done.code, done.output, done.why) == (0, "-é 你\n", "")


def test_a_tool_that_reads_nothing_is_no_error_of_ours() -> None:
    """A tool that ends without having read its input is judged by its exit status."""
    done = tool.run(["false"], text="x" * 1_000_000, environ=os.environ, timeout=60)
    assert (done.code, done.why) == (1, "false ended with status 1")


@pytest.mark.parametrize(
    ("argv", "amended"), [(["true"], False), (["false"], True), (["sleep", "60"], True), (["absent"], False)]
)
def test_what_is_amended(tmp_path: Path, argv: list[str], amended: bool) -> None:
    """What a tool leaves behind is mended before the report on it, unless it ended well or never began."""
    mark = tmp_path / "amended"
    tool.run(argv, environ=os.environ, timeout=0.3, amends=["touch", str(mark)])
    assert mark.exists() == amended


def test_amends_for_the_killed(tmp_path: Path) -> None:
    """It is mended as well where tool and injector are killed with all of their group."""
    ready, mark = tmp_path / "ready", tmp_path / "amended"
    program = (
        "import os; from sottovoce.actors.inject import tool; tool.run("
        f"['sh', '-c', 'touch {ready}; exec sleep 60'], environ=os.environ, timeout=60, amends=['touch', '{mark}'])"
    )
    injector = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    wait_until(ready.exists)
    assert not mark.exists()
    os.killpg(injector.pid, signal.SIGKILL)
    injector.wait()
    wait_until(mark.exists)


def test_a_tool_does_not_outlive_a_killed_injector() -> None:
    """SIGKILL of the process that runs a tool takes the tool along: nothing types on while a successor begins."""
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder, "pid")
        os.mkfifo(fifo)
        program = (
            "import os; from sottovoce.actors.inject import tool; "
            f"tool.run(['sh', '-c', 'echo $$ > {fifo}; exec sleep 60'], environ=os.environ, timeout=60)"
        )
        injector = subprocess.Popen([sys.executable, "-c", program])
        pid = int(fifo.read_text())
        injector.kill()
        injector.wait()
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
            assert time.monotonic() < deadline, "the tool outlived the injector by 30 s"
            time.sleep(0.01)
