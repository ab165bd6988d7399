"""Trials of models in child processes: of real ones, and of some that take their process with them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rapidfuzz.distance import Levenshtein
from trials import NAME, REAL, deadly, refused, replace_file, sound, store_with

from sottovoce.models.exceptions import EngineFailed, ModelMissing, ProbeFailed, Quarantined, UnknownModel
from sottovoce.models.measurements import best_threads, last_probe, measured
from sottovoce.models.probe import probe, thread_counts
from sottovoce.models.quarantine import Quarantine

Real = Callable[[str], Path]
PARENT = """
import sys
from pathlib import Path
import msgspec
from sottovoce.models import Catalogue, Entry, Store
from sottovoce.models.probe import probe
entry = msgspec.json.decode(sys.argv[2], type=Entry)
entries = {known.name: known for known in (*Catalogue.load(), entry)}
probe(entry.name, store=Store(Path(sys.argv[1]), Catalogue(entries)), threads=[1])
"""


def processes(name: str) -> list[int]:
    """Return the processes that have this word on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.encode() in words and b"sottovoce.models.probe" in words:
            found.append(int(folder.name))
    return found


def test_a_sound_model(real: Real, tmp_path: Path) -> None:
    """All is measured, for each number of threads; what it heard is there; the result is kept, for the user alone."""
    store = store_with(tmp_path / "cache", real, sound())
    asked: list[int] = []
    found = probe(NAME, store=store, threads=[1, 2], progress=asked.append)
    assert asked == [run.threads for run in found.runs] == [1, 2]
    assert found.passed
    for run in found.runs:
        assert run.outcome == "passed"
        assert not run.said
        assert Levenshtein.normalized_similarity(
            run.text.lower(), "ever tried, ever failed. no matter. try again. fail again. fail better."
        ) > 0.8  # fmt: skip
        assert 9.0 < run.audio_s < 11.0
        assert 0.0 < run.rtf < 10.0
        assert min(run.load_s, run.first_s, run.decode_s, run.long_s) > 0.0
        assert 50e6 < run.pss <= run.peak < 2e9
        assert run.pss_closed < run.pss / 2, "what is closed has to come back"
    assert "sherpa-onnx" in found.versions
    assert measured(NAME, store) == last_probe(NAME, store) == found
    assert best_threads(NAME, store) in (1, 2)
    note = tmp_path / "cache" / "probes" / f"{NAME}.json"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert stat.S_IMODE(note.parent.stat().st_mode) == 0o700
    assert processes(NAME) == []


def test_a_model_that_ends_the_process(real: Real, tmp_path: Path) -> None:
    """How it died, when, and its last words; it is in quarantine, more threads are not tried, nothing is kept."""
    store = store_with(tmp_path / "cache", real, deadly())
    found = probe(NAME, store=store, threads=[1, 2])
    (run,) = found.runs
    assert run.outcome == "died"
    assert run.reason.startswith("ended its process ")
    assert run.reason.endswith(" while it loaded")
    assert run.said
    assert measured(NAME, store) is None
    with pytest.raises(Quarantined, match=r"in quarantine since 2.*: ended its process .* while it loaded; run: "):
        Quarantine(store.root).require(store.catalogue[NAME], store.path(NAME))
    assert processes(NAME) == []


def test_garbage_in_the_place_of_a_model(real: Real, tmp_path: Path) -> None:
    """A file of garbage is refused or kills the child, and is never taken for a model.

    Mended, it passes again, and one that was put into quarantine in the service, and passes its trial, may be loaded.
    Another file then, or other options, and the measurement does not hold; other words about the model, and it does.
    """
    store = store_with(tmp_path / "cache", real, sound())
    good = (store.path(NAME) / "encoder_model.ort").read_bytes()
    replace_file(store, NAME, "encoder_model.ort", os.urandom(len(good)))
    found = probe(NAME, store=store, threads=[1])
    assert found.runs[0].outcome in {"died", "refused"}
    assert found.runs[0].said or found.runs[0].reason
    died = found.runs[0].outcome == "died"
    quarantine, entry, directory = Quarantine(store.root), store.catalogue[NAME], store.path(NAME)
    assert (quarantine.get(entry, directory) is not None) is died
    replace_file(store, NAME, "encoder_model.ort", good)
    assert quarantine.get(entry, directory) is None, "it is another file now"

    quarantine.put(entry, directory, "stt-final died with it", "service")
    found = probe(NAME, store=store, threads=[1])
    assert found.passed
    quarantine.require(entry, directory)

    entries = {entry.name: entry for entry in store.catalogue}
    for change, holds in (({"about": "better"}, True), ({"memory": 5}, True), ({"minimum_samples": 9}, True),
                          ({"options": {"decoding_method": "x"}}, False)):  # fmt: skip
        store.catalogue = type(store.catalogue)(entries | {NAME: msgspec.structs.replace(sound(), **change)})
        assert (measured(NAME, store) == found) is holds
    store.catalogue = type(store.catalogue)(entries)
    (directory / ".usage.json").write_text("{}")
    assert measured(NAME, store) == found
    os.utime(directory / "encoder_model.ort")
    assert measured(NAME, store) is None
    assert best_threads(NAME, store) == 1


def test_a_model_that_is_refused(real: Real, tmp_path: Path) -> None:
    """A model that the engine refuses in words is told of in these, and need not be kept away from anybody."""
    store = store_with(tmp_path / "cache", real, refused())
    (run,) = probe(NAME, store=store, threads=[1, 2]).runs
    assert (run.outcome, run.text) == ("refused", "")
    assert "from_the_future" in run.reason
    Quarantine(store.root).require(store.catalogue[NAME], store.path(NAME))


def test_one_that_takes_too_long(real: Real, tmp_path: Path) -> None:
    """When its time is up the child is gone; that is no reason for a quarantine: the machine may have been busy."""
    store = store_with(tmp_path / "cache", real, sound())
    (run,) = probe(NAME, store=store, threads=[1], timeout_s=0.2).runs
    assert run.outcome == "hung"
    assert run.reason.startswith("was not done within 0.2 s, ")
    assert processes(NAME) == []
    Quarantine(store.root).require(store.catalogue[NAME], store.path(NAME))


def test_a_killed_parent_leaves_no_child(real: Real, tmp_path: Path) -> None:
    """Whoever probes may be killed at any time: the child ends with it."""
    store_with(tmp_path / "cache", real, sound())
    entry = msgspec.json.encode(sound()).decode()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "cache"), entry])
    try:
        deadline = time.monotonic() + 60
        while not processes(NAME):
            assert parent.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 60
    while processes(NAME):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_cannot_be_probed(real: Real, tmp_path: Path) -> None:
    """What is no recogniser, is not known or is not here is an error in words; so is a sample that is no sound."""
    store = store_with(tmp_path / "cache", real)
    with pytest.raises(EngineFailed, match=r"beckett .*does not recognise speech"):
        probe("beckett", store=store)
    with pytest.raises(UnknownModel):
        probe("nothing", store=store)
    with pytest.raises(ProbeFailed, match=r"could not begin with .*no-sound"):
        probe(REAL, store=store, threads=[1], sample=tmp_path / "no-sound")
    Quarantine(store.root).require(store.catalogue[REAL], store.path(REAL))
    (store.root / "models" / REAL).unlink()
    with pytest.raises(ModelMissing):
        probe(REAL, store=store)


def test_which_numbers_of_threads() -> None:
    """1, 2, 4 and so on, and all cores."""
    assert [thread_counts(cores) for cores in (1, 2, 3, 4, 6)] == [(1,), (1, 2), (1, 2, 3), (1, 2, 4), (1, 2, 4, 6)]
    assert thread_counts()[-1] == len(os.sched_getaffinity(0))
