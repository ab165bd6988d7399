"""supervisord itself is killed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from stages import wait_idle

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import service
from sottovoce.ops.live import feed
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import SpeechOnset
from sottovoce.protocol.paths import Paths


def test_the_recording_goes_on_after_the_next_start(beckett: Path) -> None:
    """SIGKILL of supervisord in mid-sentence: no stage outlives it by 2 s; the next start types the rest."""
    home = Path(tempfile.mkdtemp(prefix="sv-", dir="/dev/shm"))
    paths = Paths(home / "run", home / "state", home / "config.toml").ensure()
    typed = home / "typed.txt"
    paths.config.write_text(f'[inject]\nbackends = ["file"]\nfile = "{typed}"\n')
    try:
        process, _ = service.start(paths, detach=False)
        pids = [info["pid"] for info in Supervisor(paths.supervisor_socket).processes().values()]
        onsets = 0
        for event in feed(paths, beckett, pace=3):
            onsets += isinstance(event.body, SpeechOnset)
            if onsets == 2:
                process.kill()
                break
        process.wait(5)
        deadline = time.monotonic() + 2
        while any(_runs(pid) for pid in pids):
            assert time.monotonic() < deadline, "a stage outlived supervisord by 2 s"
            time.sleep(0.02)
        process, _ = service.start(paths, detach=False)
        try:
            wait_idle(paths)
            journal = Journal(paths.journal(keep="30d"))
            rows = journal.utterances()
            journal.close()
        finally:
            service.stop(paths)
            process.wait(5)
        assert {row.state for row in rows} <= {"typed", "in_doubt"}
        assert typed.read_text() == "".join(row.text or "" for row in rows if row.state == "typed")
        assert len(" ".join(row.text or "" for row in rows).split()) == 12
        assert list(paths.runtime.iterdir()) == []
    finally:
        shutil.rmtree(home)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]


def test_sigterm_to_supervisord_is_an_orderly_end(beckett: Path) -> None:
    """What `kill PID` or a session's end does to supervisord ends all stages, and none is restarted meanwhile."""
    home = Path(tempfile.mkdtemp(prefix="sv-", dir="/dev/shm"))
    paths = Paths(home / "run", home / "state", home / "config.toml").ensure()
    paths.config.write_text(f'[inject]\nbackends = ["file"]\nfile = "{home}/typed.txt"\n')
    try:
        process, _ = service.start(paths, detach=False)
        pids = [info["pid"] for info in Supervisor(paths.supervisor_socket).processes().values()]
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert not any(_runs(pid) for pid in pids)
        service.sweep(paths)
        assert list(paths.runtime.iterdir()) == []
    finally:
        shutil.rmtree(home)
