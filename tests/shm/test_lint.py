import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

MODULES = sorted(Path(next(iter(getattr(find_spec("sottovoce.shm"), "submodule_search_locations", [])))).glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_words_are_never_packed_into_shared_memory(module: Path) -> None:
    """No module uses struct's pack_into: it zeroes a word before it stores it, and concurrent readers see the zero."""
    names = {getattr(node, "attr", getattr(node, "id", None)) for node in ast.walk(ast.parse(module.read_text()))}
    assert "pack_into" not in names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_only_numpy_and_the_standard_library_are_used(module: Path) -> None:
    """Shared memory needs nothing else, so any process can afford to attach."""
    for node in ast.walk(ast.parse(module.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.startswith("sottovoce.shm") or name.partition(".")[0] in {"numpy", *sys.stdlib_module_names}
