"""A hook through the whole service: what it changes, and that it costs nothing but its time when it hangs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stages import LEAN

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.history import History, as_dict
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.messages import Notice, TextReady, Typed
from sottovoce.protocol.rows import UtteranceRow

Rows = Callable[[], list[UtteranceRow]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the hook; it writes all in capitals."""
    path = tmp_path_factory.mktemp("hook") / "hook"
    write(path, r"""sed 's/.*"text":"\([^"]*\)".*/\1/' | tr '[:lower:]' '[:upper:]'""")
    return path


@pytest.fixture(scope="module")
def service(beckett: Path, program: Path) -> Iterator[PrivateService]:
    """A service with a hook, which has longer than the warden allows a turn."""
    settings = f"[hook]\ncommand = [{json.dumps(str(program))}]\ntimeout = 3.0\n"
    with private_service(config=settings + LEAN) as running:
        yield running


def write(program: Path, hook: str) -> None:
    """Make shell commands the hook."""
    new = program.with_name("new")
    new.write_text(f"#!/bin/sh\n{hook}\n")
    new.chmod(0o700)
    new.replace(program)


def test_a_hook_changes_what_is_typed(service: PrivateService, rows: Rows, opening: Path) -> None:
    """What the hook prints is typed, in order; the bus says the same; `history show` has the plain text beside it."""
    events = [event.body for event in feed(service.paths, opening, pace=0)]
    typed = "".join(body.text for body in events if isinstance(body, Typed))
    assert service.text() == typed == "".join(body.text for body in events if isinstance(body, TextReady))
    assert "EVER TRIED" in typed
    assert typed == typed.upper()
    assert {row.state for row in rows()} == {"typed"}
    assert [(row.plain or "").upper() for row in rows()] == [row.text for row in rows()]
    history = History(service.paths)
    about = as_dict(history.get(1))
    assert (about["plain"], about["text"]) == (rows()[0].plain, rows()[0].text)


def test_a_hook_that_hangs_costs_no_word(service: PrivateService, rows: Rows, opening: Path, program: Path) -> None:
    """Each text is typed as it was, one notice says why, and no process is left.

    The stage is the same, though it waited for longer than the warden allows a turn.
    """
    write(program, "cat > /dev/null; exec sleep 61")
    before, typed = stage_pid(service), service.text()
    events = [event.body for event in feed(service.paths, opening, pace=0)]
    assert {row.state for row in rows()} == {"typed"}
    assert {row.plain for row in rows()} == {None}
    assert service.text().removeprefix(typed) == "".join(row.text or "" for row in rows())
    assert "ever tried" in service.text().removeprefix(typed).lower()
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
