from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desktop import Window

from sottovoce.ops.exceptions import EXIT_FAILED, EXIT_UNREACHABLE, EXIT_USAGE, OpsError
from sottovoce.ops.history import NOT_KEPT, History, as_line, cut, seconds, to_clipboard
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.exceptions import JournalError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UNFINISHED

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]
_DAY_NS = 86_400 * 10**9


@pytest.fixture
def journal(paths: Paths) -> Iterator[Journal]:
    """The journal that the commands will find."""
    opened = Journal(paths.journal(keep="30d"))
    yield opened
    opened.close()


def say(journal: Journal, end: str, text: str = "Hello.", *, days_ago: float = 0) -> int:
    """Bring a new utterance to the state `end` and return its number."""
    first = len(journal.utterances()) * 16_000
    journal.segmented(
        generation=1, stream=7, first=first, end=first + 16_000, speech_end=first + 9000, spoken_ns=now_ns(),
        position=first + 16_000, wall_ns=time.time_ns() - round(days_ago * _DAY_NS),
    )  # fmt: skip
    ordinal = journal.utterances(limit=1)[0].ordinal
    if end == "segmented":
        return ordinal
    assert journal.transcribed(ordinal, text=f"heard {text}", model="tiny")
    if end == "suppressed":
        assert journal.suppressed(ordinal, reason="repetition")
        return ordinal
    assert journal.transformed(ordinal, text=text, context="{}")
    if end == "late":
        assert journal.late(ordinal, reason="31 s")
    elif end in ("typed", "in_doubt"):
        assert journal.intent(ordinal, backend="file")
        if end == "typed":
            assert journal.typed(ordinal, backend="file")
        else:
            assert journal.in_doubt(ordinal, reason="the injector died")
    return ordinal


def ordinals(listed: str) -> list[int]:
    """Return the numbers in a list."""
    return [int(line.split()[0]) for line in listed.splitlines()]


# -- list and show -----------------------------------------------------------------------------------------------------


def test_what_needs_a_person_comes_first(sottovoce: Sottovoce, journal: Journal) -> None:
    """In doubt, late, suppressed, what waits, typed; the newest first in each; as lines and as JSON."""
    states = ["typed", "suppressed", "late", "in_doubt", "typed", "segmented", "suppressed", "late", "in_doubt"]
    for state in states:
        say(journal, state)
    expected = [9, 4, 8, 3, 7, 2, 6, 5, 1]
    assert ordinals(sottovoce("history", "list").stdout) == expected
    listed = json.loads(sottovoce("history", "list", "--json").stdout)
    assert [row["ordinal"] for row in listed] == expected
    assert [row["state"] for row in listed] == [states[number - 1] for number in expected]


def test_a_line_has_number_time_state_reason_and_text(sottovoce: Sottovoce, journal: Journal) -> None:
    """All five, in no more than the terminal's width; of a long text the beginning, and line breaks made visible."""
    say(journal, "in_doubt", "One.\nTwo. " + "and so on " * 30)
    line = sottovoce("history", "list").stdout.rstrip("\n")
    number, date, clock, *_ = line.split()
    assert number == "1"
    assert time.strptime(f"{date} {clock}", "%Y-%m-%d %H:%M:%S")
    assert "in doubt" in line
    assert "One.⏎Two. and so on" in line
    assert line.endswith("… (the injector died)")
    assert len(line) == 100


def test_lists_are_limited_unless_all_is_asked_for(sottovoce: Sottovoce, journal: Journal) -> None:
    """So many of each state, and a hint that there is more, which does not disturb a pipe."""
    for number in range(24):
        say(journal, "typed" if number % 2 else "late")
    result = sottovoce("history", "list", "--limit", 3)
    assert ordinals(result.stdout) == [23, 21, 19, 24, 22, 20]
    assert "--all" in result.stderr
    assert len(sottovoce("history", "list").stdout.splitlines()) == 20
    result = sottovoce("history", "list", "--all")
    assert (len(result.stdout.splitlines()), result.stderr) == (24, "")


def test_a_list_of_some_states(sottovoce: Sottovoce, journal: Journal) -> None:
    """`--state` may be said more than once, with a dash as well; one that is none is wrong usage."""
    for state in ("typed", "late", "in_doubt", "transformed"):
        say(journal, state)
    assert ordinals(sottovoce("history", "list", "--state", "in-doubt", "--state", "waiting").stdout) == [3, 4]
    result = sottovoce("history", "list", "--state", "lost")
    assert result.returncode == EXIT_USAGE
    assert "in_doubt, late, suppressed, waiting, typed" in " ".join(result.stderr.replace("│", " ").split())


def test_nothing_dictated_is_an_empty_list(sottovoce: Sottovoce, paths: Paths) -> None:
    """Without a journal the list is empty, an utterance is not there, and no journal is made by asking."""
    assert json.loads(sottovoce("history", "list", "--json").stdout) == []
    assert json.loads(sottovoce("history", "clear", "--all", "--json").stdout) == {"deleted": 0}
    for verb in ("show", "copy", "retype"):
        result = sottovoce("history", verb, 1)
        assert (result.returncode, result.stdout) == (EXIT_FAILED, "")
        assert result.stderr.startswith("sottovoce: nothing has been dictated")
    assert not paths.journal(keep="30d").exists()


def test_everything_about_one(sottovoce: Sottovoce, journal: Journal) -> None:
    """What was heard, the text whole, the state and why, model, back end, times."""
    long = "A long text, " * 20
    number = say(journal, "in_doubt", long)
    shown = sottovoce("history", "show", number).stdout
    for part in (f"heard {long}".strip(), "in_doubt", "the injector died", "tiny", "file", "transcribed", "1.0"):
        assert part in shown
    assert shown.endswith(f"\n\n{long}\n")
    told = json.loads(sottovoce("history", "show", number, "--json").stdout)
    assert (told["heard"], told["text"], told["model"], told["backend"]) == (f"heard {long}", long, "tiny", "file")
    assert (told["audio_s"], told["trace"], list(told["timings_ms"])) == (1.0, "7-0", ["transcribed", "transformed"])
    assert "no utterance 5" in sottovoce("history", "show", 5).stderr


def test_what_is_not_kept_is_said_to_be_so(sottovoce: Sottovoce, paths: Paths) -> None:
    """With keep = "none" typed text is gone: list and show say so, copy and retype refuse; doubtful text is there."""
    paths.config.write_text('[history]\nkeep = "none"\n')
    opened = Journal(paths.journal(keep="none"), keep="none")
    typed, doubt = say(opened, "typed", "Gone."), say(opened, "in_doubt", "Here.")
    opened.close()
    lines = sottovoce("history", "list").stdout.splitlines()
    assert "Here." in lines[0]
    assert NOT_KEPT in lines[1]
    assert sottovoce("history", "show", typed).stdout.endswith(f"\n\n{NOT_KEPT}\n")
    assert json.loads(sottovoce("history", "show", typed, "--json").stdout)["text"] is None
    for verb in ("copy", "retype"):
        result = sottovoce("history", verb, typed)
        assert (result.returncode, result.stdout) == (EXIT_FAILED, "")
        assert "not kept" in result.stderr
    assert History(paths).text(doubt) == "Here."


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("hello", 5, "hello"),
        ("hello!", 5, "hell…"),
        ("a\nb\x1b[2J\x85", 20, "a⏎b�[2J�"),
        ("日本語です", 6, "日本…"),
        ("日本語", 6, "日本語"),
        ("e\u0301te\u0301", 3, "e\u0301te\u0301"),
        ("", 0, ""),
    ],
)
def test_cut(text: str, columns: int, expected: str) -> None:
    """Columns are the terminal's: wide letters take two, accents none, and nothing steers the terminal."""
    assert cut(text, columns) == expected


def test_a_narrow_terminal_still_shows_some_text(journal: Journal) -> None:
    """Twenty columns are left to text and reason, however narrow the terminal."""
    row = journal.utterance(say(journal, "late", "Some text to be seen."))
    assert as_line(row, "Some text to be seen.", 10).endswith("  Some text to… (31 s)")


# -- retype ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["in_doubt", "late", "suppressed", "typed"])
def test_the_journal_takes_a_text_again(journal: Journal, end: str) -> None:
    """As a new utterance, the last in order, young, ready to be typed; the old one keeps its state and names it."""
    old = say(journal, end, "Once more.", days_ago=3)
    waiting = say(journal, "segmented")
    new = journal.retyped(old, text="Once more.", wall_ns=time.time_ns())
    assert new == waiting + 1
    row, before = journal.utterance(new), journal.utterance(old)
    assert (row.state, row.text, row.heard, row.reason) == ("transformed", "Once more.", None, f"retyped from {old}")
    assert row.age_s() < 5
    assert before.state == end
    assert (before.reason or "").endswith(f"retyped as {new}")
    first = journal.oldest(*UNFINISHED)
    assert first is not None
    assert first.ordinal == waiting  # what was said before it is typed before it
    assert journal.intent(new, backend="file")
    assert journal.typed(new, backend="file")


def test_a_text_may_be_put_up_many_times(journal: Journal) -> None:
    """Each time it is a new utterance with a key of its own, also after the earlier ones were deleted."""
    old = say(journal, "late")
    keys = set()
    for _ in range(5):
        new = journal.retyped(old, text="Hello.", wall_ns=1)
        assert journal.late(new, reason="test")
        keys.add(journal.utterance(new).trace)
        assert journal.delete([new]) == 1
    assert len(keys) == 5
    assert (journal.utterance(old).reason or "").count("retyped as") == 5


def test_a_text_put_up_again_is_no_context(journal: Journal) -> None:
    """The transform goes on from what was dictated last, not from what was typed again in between."""
    said = say(journal, "typed")
    journal.retyped(said, text="Hello.", wall_ns=1)
    context, last = journal.context()
    assert context == "{}"
    assert last is not None
    assert last.ordinal == said


def test_what_is_on_its_way_is_not_put_up_again(journal: Journal) -> None:
    """It would be typed twice; nothing is changed by the attempt."""
    for state in ("segmented", "transformed"):
        number = say(journal, state)
        with pytest.raises(JournalError, match="still on its way"):
            journal.retyped(number, text="x", wall_ns=1)
    with pytest.raises(JournalError, match="no utterance 9"):
        journal.retyped(9, text="x", wall_ns=1)
    assert len(journal.utterances()) == 2


def test_without_a_service_nothing_is_retyped(sottovoce: Sottovoce, journal: Journal) -> None:
    """Exit code 3, how to start it, and no new utterance, which could only become late."""
    number = say(journal, "late")
    result = sottovoce("history", "retype", number)
    assert (result.returncode, result.stdout) == (EXIT_UNREACHABLE, "")
    assert "sottovoce up" in result.stderr
    assert result.stderr.count("\n") == 1
    assert [row.ordinal for row in journal.utterances()] == [number]


# -- clear -------------------------------------------------------------------------------------------------------------


def found(folder: Path, word: str) -> bool:
    """Tell whether a word is in any byte of any file below; another process looks, since closing drops our locks."""
    return subprocess.run(["grep", "-raqF", word, folder], check=False).returncode == 0


def test_deleted_words_are_in_no_file(sottovoce: Sottovoce, journal: Journal, paths: Paths) -> None:
    """`clear N` deletes those and no others, and leaves none of their words in any byte of the state directory."""
    for word in ("quizzical", "zephyrs", "xylophone"):
        say(journal, "typed", word)
    assert found(paths.state, "zephyrs")
    result = sottovoce("history", "clear", 1, 2, "--yes")
    assert (result.returncode, result.stdout) == (0, "2 deleted\n")
    assert [row.text for row in journal.utterances()] == ["xylophone"]
    assert [found(paths.state, word) for word in ("quizzical", "zephyrs", "xylophone")] == [False, False, True]


def test_old_ones_are_deleted(sottovoce: Sottovoce, journal: Journal) -> None:
    """`--before 7d` deletes what was spoken more than seven days ago, of every finished state."""
    for days in (30, 8, 6, 0):
        say(journal, "in_doubt" if days == 30 else "typed", days_ago=days)
    assert json.loads(sottovoce("history", "clear", "--before", "7d", "--yes", "--json").stdout) == {"deleted": 2}
    assert [row.ordinal for row in journal.utterances()] == [3, 4]


def test_all_but_what_is_on_its_way_is_deleted(sottovoce: Sottovoce, journal: Journal) -> None:
    """`--all` leaves what waits; naming it is refused, and then nothing is deleted. Numbers are not used again."""
    for state in ("typed", "late", "segmented", "suppressed"):
        say(journal, state)
    result = sottovoce("history", "clear", 1, 3, "--yes")
    assert result.returncode == EXIT_FAILED
    assert "3 is still on its way" in result.stderr
    assert len(journal.utterances()) == 4
    assert sottovoce("history", "clear", "--all", "-y").stdout == "3 deleted\n"
    assert [row.ordinal for row in journal.utterances()] == [3]


def test_recordings_that_are_left_empty_go_as_well(journal: Journal) -> None:
    """A closed recording names its file; with its last utterance it is gone, but for the newest recording."""
    for _ in range(2):
        generation = journal.begin_recording('{"type": "file"}')
        journal.stop_recording(generation)
        assert journal.close_recording(generation)
    number = say(journal, "typed")  # of recording 1
    assert journal.delete([number]) == 1
    assert journal.recording(1) is None
    assert journal.recording(2) is not None


def test_deleting_asks_first(sottovoce: Sottovoce, journal: Journal) -> None:
    """Without `--yes` and without an answer nothing is deleted, and the exit code says so."""
    say(journal, "typed")
    result = sottovoce("history", "clear", "--all")
    assert result.returncode == EXIT_FAILED
    assert "Delete 1 utterance(s)" in result.stderr
    assert result.stdout.strip() == ""
    assert len(journal.utterances()) == 1


@pytest.mark.parametrize(
    "arguments",
    [(), ("1", "--all"), ("--all", "--before", "7d"), ("--before", "7 days"), ("0",)],
    ids=" ".join,
)
def test_what_to_delete_is_said_in_one_way(sottovoce: Sottovoce, journal: Journal, arguments: tuple[str, ...]) -> None:
    """Numbers, a time, or all: anything else is wrong usage and deletes nothing."""
    say(journal, "typed", days_ago=30)
    assert sottovoce("history", "clear", *arguments, "--yes").returncode == EXIT_USAGE
    assert len(journal.utterances()) == 1


def test_seconds() -> None:
    """Seconds, minutes, hours, days."""
    assert [seconds(text) for text in ("90s", "15m", "12h", "7d")] == [90, 900, 43_200, 604_800]


def test_a_damaged_journal_is_told(sottovoce: Sottovoce, paths: Paths) -> None:
    """One line with its path, not a traceback."""
    paths.journal(keep="30d").write_bytes(b"no database at all" * 500)
    result = sottovoce("history", "list")
    assert result.returncode == EXIT_FAILED
    assert str(paths.journal(keep="30d")) in result.stderr
    assert result.stderr.count("\n") == 1


# -- copy --------------------------------------------------------------------------------------------------------------

TEXT = 'Grüße, “日本”.\n  Second line, with "quotes" and a $HOME.'


@pytest.mark.parametrize(
    ("tool", "read"),
    [
        ("xclip", ["xclip", "-selection", "clipboard", "-o"]),
        ("xsel", ["xsel", "--clipboard", "--output"]),
    ],
)
def test_the_clipboard_of_an_x11_session(x11_window: Window, tmp_path: Path, tool: str, read: list[str]) -> None:
    """The text is there to the last byte when the tool has returned, and stays while that serves it."""
    if (program := shutil.which(tool)) is None:
        pytest.skip(f"not installed: apt install {tool}")
    (tmp_path / tool).symlink_to(program)  # the only tool there is
    assert to_clipboard(TEXT, {**x11_window.environ, "PATH": str(tmp_path)}) == tool
    got = subprocess.run(read, env=x11_window.environ, capture_output=True, text=True, check=True, timeout=60)
    assert got.stdout == TEXT


def test_the_clipboard_of_a_wayland_session(wayland_window: Window) -> None:
    """With wl-copy, also where an X server could be asked."""
    if shutil.which("wl-copy") is None:
        pytest.skip("not installed: apt install wl-clipboard")
    environ = {**wayland_window.environ, "DISPLAY": ":nowhere"}
    assert to_clipboard(TEXT, environ) == "wl-copy"
    got = subprocess.run(
        ["wl-paste", "--no-newline"], env=environ, capture_output=True, text=True, check=True, timeout=10
    )
    assert got.stdout == TEXT


def test_an_utterance_is_copied(journal: Journal, paths: Paths, x11_window: Window, sottovoce: Sottovoce) -> None:
    """`copy N` copies the text, or what was heard where it got no further."""
    if shutil.which("xclip") is None:
        pytest.skip("not installed: apt install xclip")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WAYLAND_DISPLAY", raising=False)
        for name in ("DISPLAY", "XAUTHORITY"):
            patch.setenv(name, x11_window.environ[name])
        for end, expected in (("late", TEXT), ("suppressed", f"heard {TEXT}")):
            result = sottovoce("history", "copy", say(journal, end, TEXT), "--json")
            assert (result.returncode, result.stderr) == (0, "")
            assert json.loads(result.stdout)["copied_by"] == "xclip"
            got = subprocess.run(
                ["xclip", "-selection", "clipboard", "-o"], capture_output=True, text=True, check=True, timeout=10
            )
            assert got.stdout == expected


@pytest.mark.parametrize(
    ("session", "packages"),
    [
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wl-clipboard"),
        ({"DISPLAY": ":0"}, "xclip or xsel"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "wl-clipboard or xclip or xsel"),
    ],
)
def test_a_missing_tool_is_named(tmp_path: Path, session: dict[str, str], packages: str) -> None:
    """The error says what to install for this session."""
    with pytest.raises(OpsError, match=f"apt install {packages}$"):
        to_clipboard("text", {"PATH": str(tmp_path), **session})


def test_without_a_desktop_there_is_no_clipboard() -> None:
    """The error names the two variables that would say which desktop."""
    with pytest.raises(OpsError, match="WAYLAND_DISPLAY nor DISPLAY"):
        to_clipboard("text", {"PATH": os.environ["PATH"]})


def test_a_tool_that_fails_is_quoted() -> None:
    """Nothing was copied, and why, in the tool's own words."""
    if shutil.which("xclip") is None:
        pytest.skip("not installed: apt install xclip")
    with pytest.raises(OpsError, match=r"nothing was copied: xclip: .*:987"):
        to_clipboard("text", {"PATH": os.environ["PATH"], "DISPLAY": ":987"})
