"""Name locks: one living owner a name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sottovoce.protocol.exceptions import EndpointBusy, PathError
from sottovoce.protocol.locks import NameLock

OWNER = """
import sys
from pathlib import Path
from sottovoce.protocol.locks import NameLock
lock = NameLock(Path(sys.argv[1]))
print("mine", flush=True)
sys.stdin.read()
"""


def test_owner_is_named(child: Callable[..., Any], tmp_path: Path) -> None:
    """While another process has the name, taking it is refused with that process's id and what to do."""
    owner = child(OWNER, tmp_path / "vad.lock")
    assert owner.line() == "mine"
    with pytest.raises(EndpointBusy, match=rf"^vad is running already \(pid {owner.pid}\); .*sottovoce down"):
        NameLock(tmp_path / "vad.lock")


def test_death_frees_the_name(child: Callable[..., Any], tmp_path: Path) -> None:
    """SIGKILL of the owner frees the name at once; the file it leaves is no obstacle and then names the new owner."""
    owner = child(OWNER, tmp_path / "vad.lock")
    assert owner.line() == "mine"
    owner.kill()
    lock = NameLock(tmp_path / "vad.lock")
    assert (tmp_path / "vad.lock").read_text() == str(os.getpid())
    lock.release()


def test_release_keeps_the_file(tmp_path: Path) -> None:
    """A released name can be taken again; its file stays, of mode 0600, since unlinking it would let two have it."""
    path = tmp_path / "vad.lock"
    path.touch(0o600)
    path.write_text("a longer process id than there is")
    NameLock(path).release()
    assert path.read_text() == str(os.getpid())
    inode = path.stat().st_ino
    again = NameLock(path)
    assert path.stat().st_ino == inode
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again.release()


def test_same_process_twice(tmp_path: Path) -> None:
    """A name is refused to its own owner as well: two publishers in one process would be no better."""
    lock = NameLock(tmp_path / "vad.lock")
    with pytest.raises(EndpointBusy, match=str(os.getpid())):
        NameLock(tmp_path / "vad.lock")
    lock.release()


def test_children_do_not_inherit(child: Callable[..., Any], tmp_path: Path) -> None:
    """A program that the owner has started does not keep the name when the owner lets go."""
    lock = NameLock(tmp_path / "vad.lock")
    alive = child("print('up', flush=True); input()")
    assert alive.line() == "up"
    lock.release()
    NameLock(tmp_path / "vad.lock").release()


def test_link_is_refused(tmp_path: Path) -> None:
    """A link in the place of the lock file is not followed."""
    (tmp_path / "vad.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PathError, match="symbolic links"):
        NameLock(tmp_path / "vad.lock")
    assert not (tmp_path / "elsewhere").exists()
