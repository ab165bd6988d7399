"""Texts of the history, typed again by a running service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from stages import LEAN

from sottovoce import actors, models, ops, protocol, shm
from sottovoce.actors.supervisor import Supervisor
from sottovoce.models import Store
from sottovoce.ops import service as service_
from sottovoce.ops.history import History
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Draft, Final, TextReady
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UtteranceRow

ENDS = ("in_doubt", "late", "suppressed", "typed")


def say(journal: Journal, end: str, text: str) -> int:
    """Enter an utterance that has come to its end already."""
    first = len(journal.utterances()) * 16_000
    journal.segmented(
        generation=1, stream=7, first=first, end=first + 16_000, speech_end=first + 9000, spoken_ns=now_ns(),
        position=first, wall_ns=time.time_ns(),
    )  # fmt: skip
    ordinal = journal.utterances(limit=1)[0].ordinal
    assert journal.transcribed(ordinal, text=text, model="tiny")
    if end == "suppressed":
        assert journal.suppressed(ordinal, reason="repetition")
        return ordinal
    assert journal.transformed(ordinal, text=text, context="{}")
    if end == "late":
        assert journal.late(ordinal, reason="31 s")
        return ordinal
    assert journal.intent(ordinal, backend="file")
    assert journal.typed(ordinal, backend="file") if end == "typed" else journal.in_doubt(ordinal, reason="it died")
    return ordinal


@pytest.fixture(scope="module")
def service(beckett: Path) -> Iterator[PrivateService]:
    """A service that starts with an utterance of each end in its journal: 1 in doubt, 2 late, 3 suppressed, 4 typed."""
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/dev/shm") as name:
        root = Path(name)
        paths = Paths(root / "run", root / "state", root / "config.toml").ensure()
        typed = root / "typed.txt"
        paths.config.write_text(f'[inject]\nbackends = ["file"]\nfile = "{typed}"\n{LEAN}')
        journal = Journal(paths.journal(keep="30d"))
        for end in ENDS:
            say(journal, end, f"It was {end}. ")
        journal.close()
        process, ready_s = service_.start(paths, detach=False)
        try:
            yield PrivateService(paths, typed, ready_s)
        finally:
            service_.stop(paths)
            process.wait(60)


def sottovoce(service: PrivateService, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one command for this service."""
    return subprocess.run(
        [Path(sys.executable).with_name("sottovoce"), *map(str, arguments)],
        env={**os.environ, **service.paths.environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def retype(service: PrivateService, number: int) -> int:
    """Retype one, as the command does, and return the new number."""
    history = History(service.paths)
    return history.retype(number, history.retypable(number))


def typed(service: PrivateService, number: int) -> UtteranceRow:
    """Return an utterance once it has been typed."""
    journal = Journal(service.paths.journal(keep="30d"))
    try:
        deadline = time.monotonic() + 60
        while (row := journal.utterance(number)).state != "typed":
            assert time.monotonic() < deadline, row
            time.sleep(0.01)
        return row
    finally:
        journal.close()


def test_each_end_is_typed_again_once_and_in_order(service: PrivateService) -> None:
    """The four texts arrive in the order in which they were asked for; the old utterances keep their states."""
    said = sottovoce(service, "history", "retype", 1, "--in", 0, "--json")
    assert said.returncode == 0, said.stderr
    new = [json.loads(said.stdout)["retyped_as"], *(retype(service, number) for number in (2, 3, 4))]
    last = typed(service, new[-1])
    assert last.backend == "file"
    # What was suppressed was not transformed before; that takes the space from its end.
    assert service.text() == "It was in_doubt. It was late. It was suppressed.It was typed. "
    for old, number, end in zip((1, 2, 3, 4), new, ENDS, strict=True):
        assert typed(service, number).reason == f"retyped from {old}"
        row = History(service.paths).get(old)
        assert row.state == end
        assert (row.reason or "").endswith(f"retyped as {number}")
    shown = json.loads(sottovoce(service, "history", "show", 1, "--json").stdout)
    assert (shown["state"], shown["reason"].endswith(f"retyped as {new[0]}")) == ("in_doubt", True)


def test_what_was_never_transformed_is_corrected(service: PrivateService) -> None:
    """What was learned holds for a text that was suppressed and is typed again, as it would have when it was said."""
    assert sottovoce(service, "learn", "it was", "It had been").returncode == 0
    try:
        assert typed(service, retype(service, 3)).text == "It had been suppressed."
    finally:
        sottovoce(service, "corrections", "rm", 1)


def test_it_is_typed_soon(service: PrivateService) -> None:
    """The injector finds it by itself, without a message, within its tick and what typing takes."""
    for _ in range(3):  # a busy machine may do something else for a second, not each time
        row = typed(service, retype(service, 1))
        assert row.typed_ns is not None
        if (took := row.typed_ns - row.segmented_ns) < 2e9:
            break
    assert took < 2e9


def test_the_delay_is_kept(service: PrivateService) -> None:
    """With `--in` the person is told and has that long before anything is put up."""
    began = now_ns()
    result = sottovoce(service, "history", "retype", 2, "--in", 1)
    assert "typed in 1 s" in result.stderr
    number = int(result.stdout.split()[-1])
    assert typed(service, number).segmented_ns - began >= 1e9


def test_dictation_goes_on_as_if_nothing_were(service: PrivateService, opening: Path) -> None:
    """A text typed again before a recording changes nothing of what is typed for the recording, nor its states."""
    before = service.text()
    list(feed(service.paths, opening, pace=0))
    undisturbed = service.text().removeprefix(before)
    typed(service, retype(service, 4))
    before = service.text()
    list(feed(service.paths, opening, pace=0))
    assert service.text().removeprefix(before).split() == undisturbed.split() != []
    assert service_.status(service.paths)["state"] == "idle"


def test_without_an_injector_it_is_refused(service: PrivateService) -> None:
    """Parked, it would not type: the command says how to bring it back, and puts nothing up."""
    supervisor = Supervisor(service.paths.supervisor_socket)
    supervisor.park("inject")
    try:
        deadline = time.monotonic() + 60
        while supervisor.processes()["inject"]["statename"] != "STOPPED":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        before = service.text()
        result = sottovoce(service, "history", "retype", 1, "--in", 0)
        assert result.returncode == 1
        assert "sottovoce restart inject" in result.stderr
        assert result.stderr.count("\n") == 1
        assert History(service.paths).rows("waiting") == ([], False)
    finally:
        supervisor.restart("inject")
    typed(service, retype(service, 1))
    assert service.text().removeprefix(before).split() == ["It", "was", "in_doubt."]


def phrases_in_files(folders: list[Path], phrases: set[str]) -> set[str]:
    """Return which phrases are in any byte of any file below, whatever their case."""
    found = subprocess.run(
        ["grep", "-raoihF", "-f", "-", *map(str, folders)],
        input="\n".join(phrases),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    return set(found.stdout.lower().splitlines())


OURS = " ".join(
    path.read_text().lower()
    for package in (actors, models, ops, protocol, shm)
    for path in Path(package.__path__[0]).rglob("*.py")
)
"""What the service may say of itself."""


def cached() -> dict[Path, int]:
    """Return the files of the cache with their times, but for the notes of when a model was used last."""
    files = (path for path in Store().root.rglob("*") if path.is_file() and path.name != ".usage.json")
    return {path: path.stat().st_mtime_ns for path in files}


def left_of(service: PrivateService, audio: Path, *, pace: float) -> set[str]:
    """Dictate a recording; return which two words running that were heard or typed are in a file of the service."""
    texts = [
        event.body.text
        for event in feed(service.paths, audio, pace=pace)
        if isinstance(event.body, Draft | Final | TextReady)
    ]
    words = [text.split() for text in (*texts, service.text())]
    phrases = {" ".join(pair).lower() for line in words for pair in pairwise(line)}
    phrases = {phrase for phrase in phrases if phrase not in OURS}  # a draft may have heard "and the"
    assert len(phrases) > 5
    return phrases_in_files([service.paths.runtime, service.paths.shared, service.paths.state], phrases)


def test_no_dictated_words_are_left_in_any_file(service: PrivateService, beckett: Path) -> None:
    """With keep = "none" no two words running that were heard or typed are in the runtime, state or log files.

    Of drafts, finals and typed text alike, while the service runs; the same search finds them where days are kept.
    Nothing is written to the cache but when a model was used; licences there hold two words of anything.
    """
    before = cached()
    with private_service(config='[history]\nkeep = "none"\n') as forgetful:
        assert left_of(forgetful, beckett, pace=3) == set()
    assert left_of(service, beckett, pace=0) != set()
    assert cached() == before


def test_what_was_deleted_while_it_runs_is_gone(service: PrivateService) -> None:
    """`clear` while the service runs: no word in any file of the state directory, and the service goes on."""
    grep = ["grep", "-raqF", "suppressed. ", str(service.paths.state)]
    assert subprocess.run(grep, check=False).returncode == 0
    assert sottovoce(service, "history", "clear", "--all", "--yes").returncode == 0
    assert History(service.paths).rows() == ([], False)
    assert subprocess.run(grep, check=False).returncode == 1
    assert service_.status(service.paths)["state"] == "idle"
