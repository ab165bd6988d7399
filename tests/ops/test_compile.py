"""The transform as machine code: when it is loaded, when it is not, and that it does the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sottovoce.actors.transform import compiled
from sottovoce.ops import compile as compiling

PHRASES = Path(__file__).parents[1] / "actors" / "transform" / "phrases.toml"
SAYS = """
import json, sys
from sottovoce.actors.transform import Context, Transformer, reading
transformer, context, pages = Transformer.load("en"), Context(), []
for line in sys.stdin:
    for numbers in ("explicit", "natural"):
        page, context = transformer.apply(line, context, numbers=numbers)
        pages.append(page)
print(json.dumps({"compiled": not reading.__file__.endswith(".py"), "pages": pages}))
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have an empty place for what is compiled, and return it."""
    for module in (compiled, compiling):
        monkeypatch.setattr(module, "STORE", tmp_path / "store")
    return tmp_path / "store"


def test_other_source_is_never_loaded(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled is found until one module differs in one byte; and where it is not wanted, not at all."""
    source = tmp_path / "transform"
    shutil.copytree(compiled.SOURCE, source)
    monkeypatch.setattr(compiled, "SOURCE", source)
    monkeypatch.delenv("SOTTOVOCE_COMPILED", raising=False)
    modules = compiled.folder() / "sottovoce" / "actors" / "transform"
    assert compiled.paths() == []
    modules.mkdir(parents=True)
    assert compiled.paths() == [str(modules)]
    monkeypatch.setenv("SOTTOVOCE_COMPILED", "0")
    assert compiled.paths() == []
    monkeypatch.delenv("SOTTOVOCE_COMPILED")
    with (source / "rulebook.py").open("a") as file:
        file.write("\n")
    assert compiled.paths() == []
    assert modules.is_relative_to(store)


def test_without_a_compiler(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done, and that is told each time."""
    monkeypatch.setenv("PATH", "")
    assert [compiling.compile_transform() for _ in range(2)] == ["there is no C compiler"] * 2
    assert not store.exists()


def test_what_cannot_be_compiled(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that fails is told, once for this source; nothing is left of it, and the source runs."""
    if (why := compiling.lacking()) is not None:
        pytest.skip(f"{why}; run: apt install gcc libc6-dev python3-dev")
    monkeypatch.setenv("CC", "false")
    monkeypatch.setattr(compiling, "MODULES", ("vocabulary",))
    assert "false" in (compiling.compile_transform() or "")
    assert compiling.compile_transform() is None
    assert list(store.rglob("*")) == [compiled.folder()]
    assert compiled.paths() == []


def test_it_does_the_same() -> None:
    """All phrases of the tests, as one session: the same pages from the compiled transform and from Python's."""
    if not (compiled.folder() / "sottovoce").is_dir():
        pytest.skip("the transform is not compiled; run: apt install gcc libc6-dev python3-dev, then make setup")
    groups = tomllib.loads(PHRASES.read_text())["group"]
    said = [
        text for group in groups for row in group["rows"] for text in ([row[0]] if isinstance(row[0], str) else row[0])
    ]
    pages = []
    for value in ("0", "1"):
        environ = {**os.environ, "SOTTOVOCE_COMPILED": value}
        run = subprocess.run(
            [sys.executable, "-c", SAYS], input="\n".join(said), env=environ, capture_output=True, text=True, check=True
        )
        answer = json.loads(run.stdout)
        assert answer["compiled"] == (value == "1")
        pages.append(answer["pages"])
    assert len(pages[0]) == 2 * len(said) > 1000
    assert pages[0] == pages[1]
