"""What is kept of the push-to-talk key's edges."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.actors.key import REPEAT_NS, Key
from sottovoce.protocol.clocks import boot_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the key's state is kept."""
    return tmp_path / "conductor.key"


def test_the_newest_edges_outlive_the_process(path: Path) -> None:
    """A successor knows the newest press and release, and leaves no other file behind."""
    key = Key(path)
    key.press(5)
    key.release(3)
    key.press(4)
    successor = Key(path)
    assert (successor.pressed_ns, successor.released_ns, successor.down) == (5, 3, True)
    assert list(path.parent.iterdir()) == [path]


def test_at_equal_times_the_key_is_up(path: Path) -> None:
    """In whichever order they come."""
    key = Key(path)
    key.press(7)
    key.release(7)
    assert not key.down
    assert not key.is_press(7)
    assert key.is_press(8)


def test_a_repeat_is_no_press(path: Path) -> None:
    """While the key is down, only an edge that comes later than a repeat can is a press; repeats extend that time."""
    key = Key(path)
    assert key.is_press(10)
    key.press(10)
    assert not key.is_press(9)
    assert not key.is_press(10 + REPEAT_NS)
    assert key.is_press(11 + REPEAT_NS)
    key.press(10 + REPEAT_NS)
    assert not key.is_press(11 + REPEAT_NS)


@pytest.mark.parametrize(
    "content", ["", "x", "1 2", f"{boot_id()} 9", f"{boot_id()} a b", "another-boot 9 8", b"\xff\0"]
)
def test_what_cannot_be_used_is_a_key_that_is_up(path: Path, content: str | bytes) -> None:
    """A damaged file, and one of another boot, whose times mean nothing now."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    key = Key(path)
    assert (key.pressed_ns, key.released_ns) == (0, 0)


def test_what_cannot_be_written_is_known_all_the_same(tmp_path: Path) -> None:
    """Without room for the file only a successor knows less."""
    key = Key(tmp_path / "missing" / "conductor.key")
    key.press(5)
    assert key.down
