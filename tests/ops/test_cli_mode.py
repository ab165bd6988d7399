"""`sottovoce mode` where no service runs, and the settings that it goes by; tests/system/test_modes.py has the rest."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable

import pytest

from sottovoce.protocol import modes
from sottovoce.protocol.config import load_config
from sottovoce.protocol.paths import Paths

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]


def test_without_a_service(sottovoce: Sottovoce, paths: Paths) -> None:
    """The default is shown, and another one refused with exit code 3: a service that starts next would not know."""
    paths.config.write_text('[transform]\nmode = "verbatim"\n')
    done = sottovoce("mode", "--json")
    assert json.loads(done.stdout) == {"mode": "verbatim", "by": "default", "application": "", "default": "verbatim"}
    assert sottovoce("mode").stdout == "verbatim: the default, [transform] mode\n"
    done = sottovoce("mode", "code")
    assert (done.returncode, done.stdout) == (3, "")
    assert "sottovoce up" in done.stderr
    assert modes.wished(paths) is None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("cod",), "did you mean code?"),
        (("Dictaton",), "did you mean dictation?"),
        (("qqq",), "there are: dictation, code, verbatim, spelling, command"),
        (("code", "--default"), "not two of them"),
        (("--focused", "--default"), "not two of them"),
    ],
)
def test_refused(sottovoce: Sottovoce, paths: Paths, arguments: tuple[str, ...], why: str) -> None:
    """What is not a mode, or two wishes at once, is a wrong command line, and changes nothing."""
    done = sottovoce("mode", *arguments)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.replace("│", " ").split())
    assert modes.wished(paths) is None


def test_no_desktop(sottovoce: Sottovoce, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a desktop `--focused` says so, with exit code 1."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    done = sottovoce("mode", "--focused")
    assert done.returncode == 1
    assert "there is no desktop to ask" in done.stderr


def test_config_show_has_the_applications(sottovoce: Sottovoce, paths: Paths) -> None:
    """What `config show` prints is a configuration file that means the same."""
    paths.config.write_text(
        '[transform]\nmode = "code"\n[[transform.applications]]\nmatch = "kitty|foot"\nmode = "code"\n'
        '[[transform.applications]]\nmatch = \'org\\.mozilla\\..*\'\ntitle = "Mail"\nmode = "dictation"\n'
    )
    before = load_config(paths.config)
    shown = sottovoce("config", "show").stdout
    assert len(tomllib.loads(shown)["transform"]["applications"]) == 2
    paths.config.write_text(shown)
    assert load_config(paths.config) == before


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ('match = "kitty|("\nmode = "code"', "match: 'kitty|(' is not a regular expression: missing ), unterminated"),
        ('match = "kitty"\ntitle = "*"\nmode = "code"', "title: '*' is not a regular expression: nothing to repeat"),
        ('match = ""\nmode = "code"', "length >= 1 - at `$.transform.applications[0].match`"),
        ('match = "kitty"', "missing required field `mode` - at `$.transform.applications[0]`"),
        ('match = "kitty"\nmode = "shouting"', "`$.transform.applications[0].mode`"),
        ('match = "kitty"\nmode = "code"\nclass = "x"', "unknown field `class` - at `$.transform.applications[0]`"),
    ],
)
def test_config_check(sottovoce: Sottovoce, paths: Paths, entry: str, why: str) -> None:
    """A wrong entry is refused with file, key and reason, exit code 5."""
    paths.config.write_text(f"[[transform.applications]]\n{entry}\n")
    done = sottovoce("config", "check")
    assert done.returncode == 5
    assert str(paths.config) in done.stderr
    assert why in done.stderr
