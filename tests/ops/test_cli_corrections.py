"""`learn` and `corrections` as people and programs run them."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sottovoce.ops.exceptions import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_USAGE
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.corrections import CorrectionStore, database_path
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]


def listed(sottovoce: Sottovoce) -> list[Any]:
    """Return what `corrections list --json` prints."""
    found: list[Any] = json.loads(sottovoce("corrections", "list", "--json").stdout)
    return found


@pytest.fixture
def transcripts(tmp_path: Path) -> tuple[Path, Path]:
    """A transcript, and the same put right."""
    before, after = tmp_path / "before.txt", tmp_path / "after.txt"
    before.write_text("Ask arkon about there dog, please.\n")
    after.write_text("Ask Archon about their dog, please!\n")
    return before, after


def test_learn_and_list(sottovoce: Sottovoce) -> None:
    """Two phrases are kept at once, found by sound where they sound alike; learned anew they change."""
    result = sottovoce("learn", "arkon", "Archon")
    assert (result.returncode, result.stdout) == (0, "   1  arkon -> Archon  (by sound): added\n")
    assert "(case upper, in code): added" in sottovoce(
        "learn", "see lie", "cli", "--mode", "code", "--case", "upper", "--match", "exact"
    ).stdout  # fmt: skip
    assert sottovoce("learn", "my email", "me@example.com").stdout == '   3  my email -> "me@example.com": added\n'
    assert sottovoce("corrections", "add", "Arkon", "Archaeon").stdout.endswith("Archaeon  (by sound): changed\n")
    assert sottovoce("corrections", "list").stdout.splitlines()[0] == "   1  Arkon -> Archaeon  (by sound)"
    first, second, _ = listed(sottovoce)
    assert (first["heard"], first["write"], first["match"], first["uses"]) == ("Arkon", "Archaeon", "sound", 0)
    assert (second["modes"], second["case"], second["match"]) == (["code"], "upper", "exact")


def test_test_shows_what_would_be_written(sottovoce: Sottovoce) -> None:
    """Exact, by sound, fillers; in the mode that is asked for; by the settings of the file."""
    sottovoce("learn", "arkon", "Archon")
    sottovoce("learn", "see lie", "cli", "--mode", "code")
    result = sottovoce("corrections", "test", "Um, arkon, and arcon's see lie.")
    assert result.stdout.splitlines()[0] == "Archon, and Archon's see lie."
    assert "'arcon' -> 'Archon': correction 1, sound, 0." in result.stdout
    report = json.loads(sottovoce("corrections", "test", "--mode", "code", "--json", "um", "see", "lie").stdout)
    assert report["text"] == "cli"
    assert [hit["how"] for hit in report["fired"]] == ["filler", "exact"]
    result = sottovoce("corrections", "test", "--mode", "cod", "see lie")
    assert (result.returncode, result.stdout) == (EXIT_USAGE, "")


def test_the_settings_hold(sottovoce: Sottovoce, paths: Paths) -> None:
    """How alike words must be, and whether fillers go, is in the configuration."""
    sottovoce("learn", "arkon", "Archon")
    paths.config.write_text("[transform]\nphonetic = 1.0\nfillers = false\n")
    assert sottovoce("corrections", "test", "um arcon arkon").stdout.splitlines()[0] == "um arcon Archon"


def test_rm_enable_disable(sottovoce: Sottovoce) -> None:
    """By number; one that is not there is named, and then nothing is done."""
    sottovoce("learn", "arkon", "Archon")
    sottovoce("learn", "ayda", "Ada")
    assert sottovoce("corrections", "disable", "1").stdout == "1 disabled\n"
    assert sottovoce("corrections", "list").stdout.splitlines()[0].endswith("(by sound, off)")
    assert json.loads(sottovoce("corrections", "enable", "1", "--json").stdout) == {"enabled": [1]}
    result = sottovoce("corrections", "rm", "1", "9")
    assert (result.returncode, result.stdout) == (EXIT_FAILED, "")
    assert result.stderr.startswith("sottovoce: there is no correction 9;")
    assert json.loads(sottovoce("corrections", "rm", "1", "--json").stdout) == {"removed": [1]}
    assert [one["heard"] for one in listed(sottovoce)] == ["ayda"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("arkon",), ("", "x"), ("a b c d e f", "x"), ("--", "--", "x"), ("x", "y", "--mode", "No"),
     ("x", "y", "--mode", "cod"), ("x", "y", "--mode", "code", "--mode", "spelling"),
     ("x", "y", "--utterance", "1")],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(sottovoce: Sottovoce, arguments: tuple[str, ...]) -> None:
    """What is missing, or could never be heard, is a usage error and kept nowhere."""
    assert sottovoce("learn", *arguments).returncode == EXIT_USAGE
    assert listed(sottovoce) == []


def test_an_edited_transcript_is_shown_before_it_is_kept(
    sottovoce: Sottovoce, paths: Paths, transcripts: tuple[Path, Path]
) -> None:
    """What was put right is shown; a no keeps nothing, a yes the misheard words, a common word never."""
    refused = sottovoce("learn", "--from", *transcripts, answer="n\n")
    assert refused.returncode == 0
    assert "arkon -> Archon\nthere -> their  (passed over" in refused.stderr
    assert "not kept" in refused.stderr
    assert sottovoce("learn", "--from", *transcripts).stdout == ""  # nobody there to answer
    store = CorrectionStore(database_path(paths))
    assert store.all() == ()
    kept = sottovoce("learn", "--from", *transcripts, answer="y\n")
    assert kept.stdout == "   1  arkon -> Archon  (by sound): added\n"
    assert [one.heard for one in store.all()] == ["arkon"]
    store.close()


def test_where_only_common_words_were_put_right(sottovoce: Sottovoce, transcripts: tuple[Path, Path]) -> None:
    """Nothing is kept, even with --yes, and the command that would keep one is told."""
    transcripts[1].write_text("Ask arkon about their dog, please!\n")
    result = sottovoce("learn", "--from", *transcripts, "--yes")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.splitlines()[-1] == "nothing is kept; to learn it all the same: sottovoce learn there their"


def test_repeated_edits_are_suggested(sottovoce: Sottovoce, transcripts: tuple[Path, Path]) -> None:
    """What was put right three times and not kept is suggested as a command, applied by none, and can be forgotten."""
    for _ in range(3):
        assert sottovoce("corrections", "list", "--suggested").stdout == ""
        result = sottovoce("learn", "--from", *transcripts, "--json", answer="n\n")
        assert "arkon -> Archon\n" in result.stderr  # what is asked about is shown
        seen = json.loads(result.stdout)["seen"]
    assert seen == [{"heard": "arkon", "write": "Archon", "seen": 3}]
    assert sottovoce("corrections", "list", "--suggested").stdout == "sottovoce learn arkon Archon  # seen 3 times\n"
    assert listed(sottovoce) == []
    assert sottovoce("corrections", "forget-edits").stdout == "1 forgotten\n"
    assert json.loads(sottovoce("corrections", "list", "--suggested", "--json").stdout) == []


def test_nothing_is_remembered_of_edits_where_nothing_is_to_be_kept(
    sottovoce: Sottovoce, paths: Paths, transcripts: tuple[Path, Path]
) -> None:
    """With `keep = "none"` an edit that is not learned leaves no trace."""
    paths.config.write_text('[history]\nkeep = "none"\n')
    assert json.loads(sottovoce("learn", "--from", *transcripts, "--json", answer="n\n").stdout)["seen"] == []
    assert not database_path(paths).exists()


def test_learn_from_an_utterance(sottovoce: Sottovoce, paths: Paths) -> None:
    """The journal has what was typed; what comes on standard input is the same put right, and kept only with --yes."""
    journal = Journal(paths.journal(keep="30d"))
    journal.segmented(
        generation=1, stream=7, first=0, end=16_000, speech_end=9000, spoken_ns=now_ns(), position=16_000,
        wall_ns=time.time_ns(),
    )  # fmt: skip
    assert journal.transcribed(1, text="ask arkon", model="tiny")
    assert journal.transformed(1, text=" Ask arkon.", context="{}")
    journal.close()
    shown = sottovoce("learn", "--utterance", "1", answer="Ask Archon.")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "arkon -> Archon" in shown.stderr
    assert "--yes" in shown.stderr
    kept = sottovoce("learn", "--utterance", "1", "--yes", "--json", answer="Ask Archon.")
    (one,) = json.loads(kept.stdout)["kept"]
    assert (one["heard"], one["write"], one["outcome"]) == ("arkon", "Archon", "added")
    assert "no utterance" in sottovoce("learn", "--utterance", "9").stderr


@pytest.mark.parametrize("name", ["mine.toml", "mine.csv"])
def test_export_and_import(sottovoce: Sottovoce, paths: Paths, tmp_path: Path, name: str) -> None:
    """A file that only its owner can read brings everything back, numbers apart; an existing one is not overwritten."""
    sottovoce("learn", "arkon", "Archon")
    sottovoce("learn", "sign off", "Best regards,\n\tAda", "--mode", "code", "--mode", "dictation")
    store = CorrectionStore(database_path(paths))
    store.used({1: 4}, now_ns=1_700_000_000_000_000_000)
    store.close()
    before = listed(sottovoce)
    assert sottovoce("corrections", "export", tmp_path / name).stdout.startswith("2 written to ")
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert sottovoce("corrections", "export", tmp_path / name).returncode == EXIT_FAILED
    sottovoce("corrections", "rm", "1", "2")
    assert sottovoce("corrections", "import", tmp_path / name).stdout == "2 added, 0 changed, 0 same\n"
    assert [{**one, "number": 0} for one in listed(sottovoce)] == [{**one, "number": 0} for one in before]
    assert sottovoce("corrections", "import", tmp_path / name).stdout == "0 added, 0 changed, 2 same\n"


def test_conflicts_are_told_with_their_lines(sottovoce: Sottovoce, tmp_path: Path) -> None:
    """What is here stays, the rest comes in, and each conflict is told by its line; --replace turns that round."""
    sottovoce("learn", "arkon", "Archon")
    file = tmp_path / "other.csv"
    file.write_text("heard,write\nayda,Ada\nArkon,Arcon\n")
    result = sottovoce("corrections", "import", file, "--json")
    assert result.returncode == EXIT_FAILED
    assert json.loads(result.stdout) == {
        "added": 1, "changed": 0, "same": 0,
        "conflicts": [{"line": 3, "heard": "Arkon", "write": "Arcon", "stays": "Archon"}],
    }  # fmt: skip
    assert f"sottovoce: {file}: line 3: 'Arkon' is 'Arcon' there" in result.stderr
    assert [one["write"] for one in listed(sottovoce)] == ["Archon", "Ada"]
    assert sottovoce("corrections", "import", file, "--replace").stdout == "0 added, 1 changed, 1 same\n"


def test_a_wrong_file_changes_nothing(sottovoce: Sottovoce, tmp_path: Path) -> None:
    """All its wrong lines are named, with an exit code of its own, and none of its corrections comes in."""
    file = tmp_path / "wrong.csv"
    file.write_text("heard,write\nayda,Ada\n,x\ny\n")
    result = sottovoce("corrections", "import", file)
    assert result.returncode == EXIT_BAD_INPUT
    assert [line.split(": ")[2] for line in result.stderr.splitlines()] == ["line 3", "line 4"]
    assert listed(sottovoce) == []
    assert sottovoce("corrections", "import", tmp_path / "absent.toml").returncode == EXIT_BAD_INPUT
