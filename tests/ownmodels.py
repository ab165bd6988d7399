"""Models of a test's own: entries in the user's catalogue, whose files are in the cache already.

XDG_CONFIG_HOME and XDG_CACHE_HOME must lead to the test's own directories.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec

from sottovoce.models import Entry, cache_root
from sottovoce.models.catalogue import user_catalogue


def add_model(entry: Entry, files: Path | None = None) -> None:
    """Add an entry to the user's catalogue, and its files to the cache."""
    catalogue = user_catalogue()
    catalogue.parent.mkdir(parents=True, exist_ok=True)
    table = {
        key: value
        for key, value in msgspec.to_builtins(entry).items()
        if value and key not in ("name", "sources", "guard")
    }
    if files is not None:
        table["sources"] = [{"type": "file", "path": str(files)}]
        table["files"] = [{"name": file.name} for file in entry.files]
        shutil.copytree(files, cache_root() / "models" / entry.name, copy_function=os.link)
    with catalogue.open("a") as file:
        file.write("".join(f"models.{entry.name}.{key} = {_toml(value)}\n" for key, value in table.items()))


def _toml(value: object) -> str:
    """Return a value in TOML, tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
