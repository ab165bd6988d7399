"""What a correction may be, and the database that keeps them between processes."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.protocol.correction import MODES, Correction, check_modes
from sottovoce.protocol.corrections import CorrectionsError, CorrectionStore, Usage, database_path
from sottovoce.protocol.messages import Mode
from sottovoce.protocol.paths import Paths


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the test keeps corrections."""
    return tmp_path / "corrections.db"


@pytest.fixture
def store(file: Path) -> Iterator[CorrectionStore]:
    """Return an empty store."""
    opened = CorrectionStore(file)
    yield opened
    opened.close()


def archon(**more: Any) -> Correction:
    """Return a correction."""
    return Correction(**{"heard": "arkon", "write": "Archon"} | more)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"heard": ""}, "1 to 5 words"),
        ({"heard": " arkon"}, "one space"),
        ({"heard": "a b c d e f"}, "1 to 5 words"),
        ({"heard": "arkon --"}, "a letter or a digit"),
        ({"heard": "ark\x1bon"}, "control character"),
        ({"write": " \n"}, "not only spaces"),
        ({"write": "x" * 10_001}, "10000 characters"),
        ({"write": "Archon\r"}, "control character"),
        ({"write": "Archon\ud800"}, "control character"),
        ({"modes": ("Code",)}, "no mode"),
        ({"modes": ("b", "a")}, "in order"),
        ({"uses": -1}, "not negative"),
    ],
)
def test_what_could_never_work_is_refused(wrong: dict[str, Any], says: str) -> None:
    """What nobody can say, or what would act on the window, is refused with the reason."""
    with pytest.raises(ValueError, match=says):
        archon(**wrong)


def test_a_mode_in_which_nothing_would_hold_is_refused() -> None:
    """Those that write words are modes of the service; what is none, or writes no words, is named with those."""
    assert set(MODES) < set(get_args(Mode))
    check_modes(MODES)
    for mode in ("cod", "spelling", "command"):
        with pytest.raises(ValueError, match=f"'{mode}'; they do in dictation, code and verbatim"):
            check_modes(("code", mode))


def test_what_is_added_is_there_for_others(store: CorrectionStore, file: Path) -> None:
    """Every field is kept; another process reads it as it was added."""
    corrections = (
        archon(match="sound", case="heard", modes=("code", "dictation"), enabled=False, uses=3, used_ns=5, added_ns=4),
        Correction(heard="sign off", write="Best regards,\n\tAda Müller 🙂", added_ns=6),
    )
    assert store.add(*corrections) == ["added", "added"]
    other = CorrectionStore(file)
    assert [msgspec.structs.replace(one, number=0) for one in other.all()] == list(corrections)
    assert [one.number for one in other.all()] == [1, 2]
    other.close()


def test_a_phrase_is_there_once_in_its_modes(store: CorrectionStore) -> None:
    """The same phrase in other capitals changes it, and number and uses are kept; in a mode it is another."""
    store.add(archon(added_ns=9))
    store.used({1: 2}, now_ns=77)
    assert store.add(archon(heard="Arkon", write="Archaeon"), archon(modes=("code",))) == ["changed", "added"]
    assert store.add(archon(heard="ARKON", write="Archaeon")) == ["same"]
    first, second = store.all()
    assert (first.number, first.heard, first.write, first.uses, first.used_ns, first.added_ns) == (
        1, "Arkon", "Archaeon", 2, 77, 9,
    )  # fmt: skip
    assert (second.number, second.modes, second.uses) == (2, ("code",), 0)


def test_enable_and_remove(store: CorrectionStore, file: Path) -> None:
    """By number; those that are not there are not in the answer. What was removed is in no file any more."""
    store.add(archon(), Correction(heard="zanzibarr", write="Zanzibarsecret"))
    assert store.enable([1, 1, 5], enabled=False) == [1]
    assert [one.enabled for one in store.all()] == [False, True]
    assert store.enable([1]) == [1]
    assert store.remove([2, 9]) == [2]
    assert [one.heard for one in store.all()] == ["arkon"]
    left = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert b"arkon" in left
    assert b"anzibar" not in left


def test_uses_are_counted_apart_and_written_together(store: CorrectionStore) -> None:
    """Uses are counted in memory, and stand in the database once they are flushed; what is gone is passed over."""
    store.add(archon(), archon(heard="arcon"))
    usage = Usage()
    assert not usage
    usage.note([1, 1, 0, 2, 9])
    assert usage
    assert [one.uses for one in store.all()] == [0, 0]
    usage.flush(store)
    usage.flush(store)
    assert not usage
    assert [one.uses for one in store.all()] == [2, 1]
    assert all(one.used_ns is not None and one.used_ns > 1e18 for one in store.all())


def test_uses_that_cannot_be_written_are_counted_still(store: CorrectionStore, file: Path) -> None:
    """A database that fails costs no count."""
    store.add(archon())
    usage = Usage()
    usage.note([1])
    broken = CorrectionStore(file)
    broken.close()
    with pytest.raises(CorrectionsError, match=str(file)):
        usage.flush(broken)
    usage.flush(store)
    assert store.all()[0].uses == 1


def test_changed_tells_what_others_wrote(store: CorrectionStore, file: Path) -> None:
    """True at first, then whenever another process has written; one's own writing is no news."""
    reader = CorrectionStore(file)
    assert reader.changed()
    assert not reader.changed()
    store.add(archon())
    assert reader.changed()
    assert not reader.changed()
    reader.used({1: 1}, now_ns=1)
    assert not reader.changed()
    reader.close()


def test_edits_are_suggested_when_seen_often(store: CorrectionStore) -> None:
    """An edit is a suggestion once it was seen three times; it applies nothing, and goes when it is learned."""
    assert [store.saw("arkon", "Archon", now_ns=n) for n in (1, 2)] == [1, 2]
    store.saw("arkon", "Arcon", now_ns=3)
    assert store.suggestions() == ()
    assert store.saw("Arkon", "Archon", now_ns=4) == 3
    (suggestion,) = store.suggestions()
    assert (suggestion.heard, suggestion.write, suggestion.seen, suggestion.seen_ns) == ("arkon", "Archon", 3, 4)
    assert len(store.suggestions(at_least=1)) == 2
    assert store.all() == ()
    store.add(archon())
    assert [one.write for one in store.suggestions(at_least=1)] == ["Arcon"]
    assert store.forget_edits() == 1
    assert store.suggestions(at_least=1) == ()
    with pytest.raises(ValueError, match="1 to 5 words"):
        store.saw("", "x", now_ns=1)


def test_it_is_private(store: CorrectionStore, file: Path) -> None:
    """Nobody else may read it, the log beside it included."""
    store.add(archon())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_it_lies_beside_the_journal(tmp_path: Path) -> None:
    """In the state directory, whatever the journal's `keep`."""
    paths = Paths(tmp_path / "run", tmp_path / "state", tmp_path / "config.toml")
    assert database_path(paths).parent == paths.journal(keep="30d").parent


def test_what_is_no_database_of_ours_is_refused(file: Path, tmp_path: Path) -> None:
    """A link, another file, a newer version: named, with what to do, and left as it is."""
    (tmp_path / "other").write_text("hello, this is no database, and long enough not to be an empty one " * 9)
    file.symlink_to(tmp_path / "other")
    with pytest.raises(CorrectionsError, match="link"):
        CorrectionStore(file)
    with pytest.raises(CorrectionsError, match="not a database"):
        CorrectionStore(tmp_path / "other")
    file.unlink()
    CorrectionStore(file).close()
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(CorrectionsError, match="version 9"):
        CorrectionStore(file)
    with pytest.raises(CorrectionsError, match="opened"):
        CorrectionStore(tmp_path / "absent" / "corrections.db")


def test_a_row_that_cannot_be_is_told(store: CorrectionStore, file: Path) -> None:
    """What another program wrote into it is named by its number, without its words, and can be removed."""
    store.add(archon())
    with sqlite3.connect(file) as database:
        database.execute("UPDATE correction SET match = 'guess'")
    database.close()
    with pytest.raises(CorrectionsError, match="corrections rm 1") as caught:
        store.all()
    assert "arkon" not in str(caught.value).lower()
    assert store.numbers() == {1}
    assert store.remove([1]) == [1]
    assert store.all() == ()


def test_two_may_open_it_at_once(file: Path) -> None:
    """Processes that start together find one database, made once."""
    failed: list[Exception] = []
    barrier = threading.Barrier(4)

    def begin(number: int) -> None:
        barrier.wait()
        try:
            store = CorrectionStore(file)
            store.add(archon(heard=f"word{number}"))
            store.close()
        except CorrectionsError as error:
            failed.append(error)

    threads = [threading.Thread(target=begin, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = CorrectionStore(file)
    assert len(store.all()) == 4
    store.close()


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_may_be_can_be_kept(tmp_path_factory: pytest.TempPathFactory, heard: str, write: str) -> None:
    """Every correction that is not refused comes back from the database as it was."""
    try:
        correction = Correction(heard=heard, write=write, added_ns=1)
    except ValueError:
        return
    store = CorrectionStore(tmp_path_factory.mktemp("kept") / "corrections.db")
    store.add(correction)
    assert store.all() == (msgspec.structs.replace(correction, number=1),)
    store.close()
