"""`sottovoce rules` and `sottovoce transform`."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sottovoce.actors.transform.rulebook import own
from sottovoce.ops.exceptions import EXIT_CONFIGURATION, EXIT_USAGE
from sottovoce.protocol.paths import Paths

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]
PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
EXAMPLES = {
    "hello comma world period": "Hello, world.",
    "she said comma quote i'm here exclamation point quote new line bullet milk": 'She said, "I\'m here!"\n• Milk',
    "set snake case user name equals sign capital r robert": "Set user_name = Robert",
    "type literal comma here comma and all caps nasa too": "Type comma here, and NASA too",
}


@pytest.fixture
def mine(paths: Paths) -> Path:
    """Return where the command line looks for rules of the user's."""
    path = own(paths.config, "en")
    path.parent.mkdir()
    return path


def fed(sottovoce: Sottovoce, lines: bytes, *arguments: str) -> list[str]:
    """Return the lines that `sottovoce transform --stdin` prints for these."""
    done = sottovoce("transform", "--stdin", *arguments, answer=lines)
    assert done.returncode == 0
    return done.stdout.split("\n")[:-1]


def test_the_page_is_what_the_command_prints(sottovoce: Sottovoce, mine: Path) -> None:
    """docs/commands.md is generated, whatever rules of their own somebody has: run `rules list --markdown` anew."""
    mine.write_text('plain = ["comma"]\n')
    assert sottovoce("rules", "list", "--markdown").stdout == PAGE.read_text()


@pytest.mark.parametrize("said", EXAMPLES)
def test_the_examples_of_the_page_are_true(sottovoce: Sottovoce, said: str) -> None:
    """Each of the four, run as it stands on the page, writes what the page says."""
    shown = PAGE.read_text().split("```console\n")[1].split("```")[0]
    command = next(line for line in shown.splitlines() if line.startswith("$ sottovoce") and said in line)
    done = sottovoce(*shlex.split(command)[2:])
    assert (done.returncode, done.stdout) == (0, f"{EXAMPLES[said]}\n")
    assert f"{command}\n{done.stdout}" in shown
    assert shown.count("$ sottovoce") == len(EXAMPLES)


def test_lines_are_utterances_of_one_session(sottovoce: Sottovoce) -> None:
    """What one line leaves open or switched on holds for the next; a line that is not UTF-8 is one all the same."""
    lines = b"she said quote it is\ncaps on\nover\ncaps off\nnow quote period\n\xff yes\n"
    assert fed(sottovoce, lines) == ['She said "It is', "", " OVER", "", ' now".', " \ufffd yes"]


def test_lines_as_json(sottovoce: Sottovoce) -> None:
    """An object a line: the text with its line feeds, the steps that fired, and the state after them."""
    first, second = map(json.loads, fed(sottovoce, b"hello new line\ncode mode\n", "--json"))
    assert first["text"] == "Hello\n"
    assert first["steps"] == [{"did": "command", "heard": "new line", "result": "\n"}]
    assert (second["text"], second["context"]["mode"]) == ("", "code")


def test_one_text_as_json_and_in_a_mode(sottovoce: Sottovoce) -> None:
    """`--json` shows the steps of a text, `--mode` how it is taken."""
    done = json.loads(sottovoce("transform", "--json", "--mode", "code", "x equals y").stdout)
    assert (done["text"], [step["result"] for step in done["steps"]]) == ("x = y", ["="])


@pytest.mark.parametrize(
    ("numbers", "written"),
    [("explicit", "Line 2, fifty percent"), ("natural", "Line 2, 50%"), ("off", "Line two, fifty percent")],
)
def test_numbers_in_a_way_of_ones_own(sottovoce: Sottovoce, paths: Paths, numbers: str, written: str) -> None:
    """`--numbers` is how they are written, whatever the configuration says."""
    paths.config.write_text('[transform]\nnumbers = "natural"\n')
    assert sottovoce("transform", "--numbers", numbers, "line two comma fifty percent").stdout == f"{written}\n"


def test_ways_to_write_numbers_are_named(sottovoce: Sottovoce) -> None:
    """Whoever asks for one that there is none of is told of those that there are: exit code 2."""
    done = sottovoce("transform", "--numbers", "always", "line two")
    assert done.returncode == EXIT_USAGE
    told = " ".join(done.stderr.replace("│", " ").split())
    assert "'always' is no way to write numbers; there are: explicit, natural, off" in told


@pytest.mark.parametrize("arguments", [[], ["--stdin", "hello"], ["--mode", "loud", "hello"]])
def test_what_cannot_be_meant_is_refused(sottovoce: Sottovoce, arguments: list[str]) -> None:
    """Nothing said, said twice, or in a mode that is none: exit code 2."""
    assert sottovoce("transform", *arguments).returncode == EXIT_USAGE


def test_rules_of_ones_own_are_used(sottovoce: Sottovoce, mine: Path) -> None:
    """`transform`, `rules test` and `rules list` all take them; `--shipped` leaves them out."""
    mine.write_text('[[rule]]\nspoken = ["smiley"]\nwrite = ":)"\nattach = "none"\n')
    assert sottovoce("transform", "yes smiley").stdout == "Yes :)\n"
    assert sottovoce("rules", "test", "yes smiley").stdout == "Yes :)\n  command 'smiley': ':)'\n"
    assert ":)" in sottovoce("rules", "list").stdout
    assert ":)" not in sottovoce("rules", "list", "--shipped").stdout
    rules = json.loads(sottovoce("rules", "list", "--json").stdout)
    assert rules["rule"][-1]["write"] == ":)"
    done = sottovoce("rules", "check")
    assert (done.returncode, done.stdout) == (0, f"{mine}: sound; 1 phrase\n")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_shipped_rules_as_json(sottovoce: Sottovoce, language: str) -> None:
    """`list --json` has all of a language's tables, those that it leaves out as empty ones."""
    done = sottovoce("rules", "list", "--json", "--language", language)
    rules = json.loads(done.stdout)
    assert {"comma", "virgule"} & {phrase for rule in rules["rule"] for phrase in rule["spoken"]}
    assert (rules["before"] == {}) == (language == "en")


@pytest.mark.parametrize("command", [("list",), ("test", "hello"), ("check",)])
def test_a_language_without_rules(sottovoce: Sottovoce, command: tuple[str, ...]) -> None:
    """Exit code 5, and the languages that there are."""
    done = sottovoce("rules", *command, "--language", "xx")
    assert (done.returncode, done.stdout) == (EXIT_CONFIGURATION, "")
    assert "no transform rules for language 'xx'; there are: de, en, es, fr, it, pt, ru" in done.stderr


def test_a_wrong_file_is_told(sottovoce: Sottovoce, mine: Path, tmp_path: Path) -> None:
    """Exit code 5 and one line: file, line, rule and reason, of the user's own file and of one that is named."""
    for path, arguments in ((mine, []), (tmp_path / "other.toml", [str(tmp_path / "other.toml")])):
        path.write_text('\n[[rule]]\nspoken = ["smiley"]\nwrite = ":)"\nattach = "above"\n')
        done = sottovoce("rules", "check", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (EXIT_CONFIGURATION, "", 1)
        assert f"{path}:5: rule 1 ('smiley')" in done.stderr
    mine.unlink()
    done = sottovoce("rules", "check")
    assert (done.returncode, "not there" in done.stdout) == (0, True)
