"""Unfinished downloads: kept, told apart, and never two writers to one."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from sottovoce.models.partial import Note, Partial, key, without_query

NOTE = Note("http://h/x", etag='"1"', total=6)


def test_the_name_is_the_checksum_where_it_is_known() -> None:
    """Any mirror may go on with a file whose checksum is known; else each address has its own, without its query."""
    sha256 = "ab" * 32
    assert key("https://a/x.onnx", sha256) == key("https://b/c/x.onnx?k=1", sha256) == f"{sha256[:16]}-x.onnx.part"
    assert key("https://a/x.onnx", None) != key("https://b/x.onnx", None)
    assert key("https://a/x.onnx?k=1", None) == key("https://a/x.onnx?k=2", None)
    assert len(key("https://a/" + "x" * 300, None)) < 120


def test_an_address_is_shown_without_its_secrets() -> None:
    """No user, no password, no signature."""
    assert without_query("https://me:secret@h:8/p/f.bin?X-Signature=abc#frag") == "https://h:8/p/f.bin"


def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    """Bytes and note outlive whoever wrote them."""
    path = tmp_path / "x.part"
    partial = Partial.take(path)
    assert partial is not None
    assert (partial.size, partial.note, partial.whole, partial.trusted) == (0, Note(), False, False)
    with partial:
        partial.restart(NOTE)
        partial.write(b"abc")
    again = Partial.take(path)
    assert again is not None
    with again:
        assert (again.size, again.note.etag, again.whole, again.trusted) == (3, '"1"', False, True)
        again.write(b"def")
        assert again.whole
        assert path.read_bytes() == b"abcdef"
        again.restart(Note())
        assert (again.size, path.read_bytes()) == (0, b"")
        again.discard()
    assert list(tmp_path.iterdir()) == []


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """Who comes second gets nothing until the first one lets go; after a discard he begins a new file."""
    first = Partial.take(tmp_path / "x.part")
    assert first is not None
    assert Partial.take(tmp_path / "x.part") is None
    first.write(b"abc")
    first.discard()
    first.close()
    second = Partial.take(tmp_path / "x.part")
    assert second is not None
    with second:
        assert second.size == 0


def test_bytes_from_before_a_crash_of_the_machine_are_not_trusted(tmp_path: Path) -> None:
    """Another boot, or a note that is damaged or not there: what is in the file may not be what was written."""
    path = tmp_path / "x.part"
    other = msgspec.json.encode(msgspec.structs.replace(NOTE, boot="another"))
    for note in (other, b'{"url": "http:', None):
        path.write_bytes(b"abc")
        path.with_suffix(".note").unlink(missing_ok=True)
        if note is not None:
            path.with_suffix(".note").write_bytes(note)
        partial = Partial.take(path)
        assert partial is not None
        with partial:
            assert (partial.size, partial.trusted) == (3, False)


def test_a_file_that_became_a_models_is_left_alone(tmp_path: Path) -> None:
    """A pull that was killed just as it had put the file into a model: the next download does not write into that."""
    path = tmp_path / "x.part"
    path.write_bytes(b"abc")
    os.link(path, tmp_path / "model.onnx")
    partial = Partial.take(path)
    assert partial is not None
    with partial:
        partial.restart(NOTE)
        partial.write(b"xyz")
    assert (tmp_path / "model.onnx").read_bytes() == b"abc"
