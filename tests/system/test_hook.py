"""A hook through the whole service: what it changes, and that it costs nothing but its time when it hangs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages import LEAN

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Notice, TextReady, Typed


@contextmanager
def hooked(folder: Path, hook: str, timeout: float) -> Iterator[PrivateService]:
    """Run a service with a hook of shell."""
    program = folder / "hook"
    program.write_text(f"#!/bin/sh\n{hook}\n")
    program.chmod(0o700)
    with private_service(
        config=f"[hook]\ncommand = [{json.dumps(str(program))}]\ntimeout = {timeout}\n" + LEAN
    ) as service:
        yield service


def test_a_hook_changes_what_is_typed(beckett: Path, tmp_path: Path) -> None:
    """What the hook prints is typed, in order; the bus says the same; `history show` has the plain text beside it."""
    hook = r"""sed 's/.*"text":"\([^"]*\)".*/\1/' | tr '[:lower:]' '[:upper:]'"""
    with hooked(tmp_path, hook, 5.0) as service:
        events = [event.body for event in feed(service.paths, beckett, pace=3)]
        typed = "".join(body.text for body in events if isinstance(body, Typed))
        assert service.text() == typed == "".join(body.text for body in events if isinstance(body, TextReady))
        assert "EVER TRIED" in typed
        assert typed == typed.upper()
        journal = Journal(service.paths.journal(keep="30d"))
        rows = journal.utterances()
        journal.close()
        assert {row.state for row in rows} == {"typed"}
        assert [(row.plain or "").upper() for row in rows] == [row.text for row in rows]
        shown = subprocess.run(
            [sys.executable, "-m", "sottovoce.ops.entry", "history", "show", "1", "--json"],
            env=os.environ | service.paths.environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        about = json.loads(shown.stdout)
        assert (about["plain"], about["text"]) == (rows[0].plain, rows[0].text)


def test_a_hook_that_hangs_costs_no_word(beckett: Path, tmp_path: Path) -> None:
    """Each text is typed as it was, one notice says why, and no process is left.

    The stage is the same, though it waited for longer than the warden allows a turn.
    """
    with hooked(tmp_path, "cat > /dev/null; exec sleep 61", 3.5) as service:
        before = stage_pid(service)
        events = [event.body for event in feed(service.paths, beckett, pace=3)]
        journal = Journal(service.paths.journal(keep="30d"))
        rows = journal.utterances()
        journal.close()
        assert {row.state for row in rows} == {"typed"}
        assert {row.plain for row in rows} == {None}
        assert service.text() == "".join(row.text or "" for row in rows)
        assert "ever tried" in service.text().lower()
        told = [body.text for body in events if isinstance(body, Notice) and body.code == "hook"]
        assert len(told) == 1
        assert "did not end in time" in told[0]
        assert stage_pid(service) == before
        assert children(before) == []


def stage_pid(service: PrivateService) -> int:
    """Return the process of the transform stage."""
    return int(Supervisor(service.paths.supervisor_socket).processes()["transform"]["pid"])


def children(pid: int) -> list[str]:
    """Return the processes that a process has started and that are still there."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"\nPPid:\t{pid}\n" in (entry / "status").read_text():
                found.append(entry.name)
    return found
