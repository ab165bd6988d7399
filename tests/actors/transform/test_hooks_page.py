"""docs/hooks.md and its examples against what they describe."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from sottovoce.actors.transform.hook import EXIT_SWALLOW, LONGEST, Hook, Key, Said
from sottovoce.actors.transform.refusals import Swallowed
from sottovoce.protocol.config import Config
from sottovoce.protocol.config_outside import HookConfig, RewriteConfig

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "hooks.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def said(text: str, mode: str = "dictation") -> Said:
    """Return what a hook is told of a text."""
    return Said(text=text, heard=text.lower(), language="en", mode=mode, utterance=Key(1, 0))


def example(name: str, home: Path) -> Hook:
    """Return the hook that an example is."""
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    return Hook(HookConfig(command=(str(DOCS / "examples" / name),), timeout=10.0), environ=environ)


def test_the_page_has_the_examples() -> None:
    """The programs on the page are those of docs/examples, to the letter."""
    assert (DOCS / "examples" / "hook.py").read_text() in blocks("python")
    assert (DOCS / "examples" / "hook.sh").read_text() in blocks("sh")


def test_the_example_in_python(tmp_path: Path) -> None:
    """It writes abbreviations out, and swallows what is a note, which is in its file."""
    if not Path("/usr/bin/python3").exists():
        pytest.skip("the example is for /usr/bin/python3: apt install python3")
    hook = example("hook.py", tmp_path)
    assert hook.apply(said("Call me ASAP.")) == "Call me as soon as possible."
    with pytest.raises(Swallowed):
        hook.apply(said("Note to self, buy milk."))
    assert (tmp_path / "notes.txt").read_text() == "Note to self, buy milk.\n"


def test_the_example_in_shell(tmp_path: Path) -> None:
    """It sets typographic apostrophes, but in code."""
    if shutil.which("jq") is None:
        pytest.skip("the example needs jq: apt install jq")
    hook = example("hook.sh", tmp_path)
    assert hook.apply(said("It's Ada's.")) == "It’s Ada’s."
    assert hook.apply(said("s = 'it's'", "code")) == "s = 'it's'"


def test_what_it_reads() -> None:
    """The line on the page is what a hook is told, and the table names each field of it."""
    line = blocks("json")[0]
    assert msgspec.json.encode(msgspec.json.decode(line, type=Said)).decode() == line.strip()
    table = PAGE[PAGE.index("### What it reads") : PAGE.index("### What it answers")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(json.loads(line))


def test_the_settings() -> None:
    """Each key of both sections has its line, the configurations on the page are accepted, and the figures are true."""
    for config in (HookConfig, RewriteConfig):
        for field in config.__struct_fields__:
            assert re.search(rf"^\| .*`(\[rewrite\.)?{field}\]?`", PAGE, re.MULTILINE) or f"[rewrite.{field}]" in PAGE
    for text in blocks("toml"):
        msgspec.toml.decode(text, type=Config)
    assert f"| {EXIT_SWALLOW} | nothing" in PAGE
    assert f"at most {LONGEST:,} characters" in PAGE
