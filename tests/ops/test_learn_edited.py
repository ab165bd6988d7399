"""`sottovoce learn --utterance` at a terminal: the text in an editor, a look, and a yes."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sottovoce.ops.exceptions import EXIT_FAILED
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.corrections import CorrectionStore, database_path
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths


@pytest.fixture
def dictated(paths: Paths) -> None:
    """Put an utterance into the journal."""
    journal = Journal(paths.journal(keep="30d"))
    journal.segmented(
        generation=1, stream=7, first=0, end=16_000, speech_end=9000, spoken_ns=now_ns(), position=16_000,
        wall_ns=time.time_ns(),
    )  # fmt: skip
    assert journal.transcribed(1, text="gonna ask arkon", model="tiny")
    assert journal.transformed(1, text=" gonna ask arkon.", context="{}")
    journal.close()


def learned(paths: Paths, editor: str, answer: str) -> subprocess.CompletedProcess[str]:
    """Run `learn --utterance 1` at a terminal with an editor, and answer what is asked."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        environment = {**os.environ, **paths.environment(), "EDITOR": editor}
        environment.pop("VISUAL", None)
        return subprocess.run(
            [Path(sys.executable).with_name("sottovoce"), "learn", "--utterance", "1"], env=environment, stdin=theirs,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.usefixtures("dictated")
def test_an_utterance_is_put_right_in_the_editor(paths: Paths, tmp_path: Path) -> None:
    """The editor has the text, in a file that is private and goes; what was changed is shown, and kept after a yes."""
    editor = tmp_path / "editor"
    seen = tmp_path / "seen"
    editor.write_text(f'#!/bin/sh\nstat -c "%a %n" "$1" > {seen}\ncat "$1" >> {seen}\nsed -i s/arkon/Archon/ "$1"\n')
    editor.chmod(0o700)
    assert "not kept" in learned(paths, str(editor), "n\n").stderr
    done = learned(paths, str(editor), "y\n")
    assert (done.returncode, done.stdout) == (0, "   1  arkon -> Archon  (by sound): added\n")
    assert "arkon -> Archon\nKeep this? [y/N]" in done.stderr
    where, text = seen.read_text().splitlines()
    mode, name = where.split(" ", 1)
    assert (mode, text) == ("600", "gonna ask arkon.")
    assert Path(name).parent == paths.runtime
    assert stat.S_IMODE(paths.runtime.stat().st_mode) == 0o700
    assert not Path(name).exists()


@pytest.mark.usefixtures("dictated")
def test_an_editor_that_fails_is_told(paths: Paths) -> None:
    """One that is not there, or gives up, keeps nothing: exit code 1, with the way out."""
    for editor in ("no-such-editor", "false"):
        done = learned(paths, editor, "y\n")
        assert done.returncode == EXIT_FAILED
        assert f"{editor}:" in done.stderr
        assert "EDITOR" in done.stderr
    assert not database_path(paths).exists()


@pytest.mark.usefixtures("dictated")
def test_words_of_an_edit_have_the_capitals_of_their_place(paths: Paths) -> None:
    """A correction learned from a transcript, in small letters, begins a sentence with a capital."""
    assert learned(paths, "sed -i s/arkon/acorn/", "y\n").returncode == 0
    store = CorrectionStore(database_path(paths))
    (one,) = store.all()
    store.close()
    assert (one.heard, one.write) == ("arkon", "acorn")
    said = subprocess.run(
        [Path(sys.executable).with_name("sottovoce"), "transform", "arkon first. Arkon, see the arkon"],
        env={**os.environ, **paths.environment()}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert said.stdout == "Acorn first. Acorn, see the acorn\n"
