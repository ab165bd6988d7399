"""Removing: one model, or what was longest not used, and what killed pulls left behind."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sottovoce.models import metadata
from sottovoce.models.exceptions import ModelInUse
from sottovoce.models.locks import alone, free_to_change, unused
from sottovoce.models.partial import Partial


@dataclass(frozen=True, slots=True)
class Removed:
    """Something that was removed, or would be."""

    name: str
    """The model; "" for what unfinished downloads left."""
    size: int
    """Bytes."""
    last_used: datetime | None = None


def size_of(directory: Path) -> int:
    """Return the bytes of the files below a directory; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, files in os.walk(directory):
        for file in files:
            try:
                total += (Path(folder) / file).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def remove(root: Path, name: str) -> Removed:
    """Remove a model, at once for everybody who looks.

    Raises:
        ModelInUse: a process has it loaded.
        OSError: it cannot be removed.
    """
    directory = root / "models" / name
    with alone(root, name, lambda: None), unused(root, name) as free:
        if not free:
            raise ModelInUse(f"model {name} is loaded by a running service; end that first: sottovoce down")
        gone = Removed(name, size_of(directory), metadata.last_used(directory))
        aside = directory.with_name(f".{name}.{uuid.uuid4().hex[:8]}.gone")
        directory.rename(aside)
        shutil.rmtree(aside)
        return gone


def collect(root: Path, limit: int | None, keep: Collection[str], *, dry: bool = False) -> list[Removed]:
    """Remove what killed processes left, and then models, the longest unused first, until the rest fits.

    Args:
        root: the cache.
        limit: bytes that all models may take; None removes no model.
        keep: models that stay, whatever they take: those that the configuration names.
        dry: only say what would be removed.

    Raises:
        OSError: the cache cannot be read or changed.
    """
    removed = [Removed("", size) for size in [_sweep(root, dry=dry)] if size]
    if limit is None or not (root / "models").is_dir():
        return removed
    models = [path for path in (root / "models").iterdir() if path.is_dir() and not path.name.startswith(".")]
    sizes = {path: size_of(path) for path in models}
    total = sum(sizes.values())
    for path in sorted(models, key=metadata.last_used):
        if total <= limit:
            break
        if path.name in keep:
            continue
        try:
            removed.append(_would(root, path) if dry else remove(root, path.name))
        except ModelInUse:
            continue
        total -= sizes[path]
    return removed


def _would(root: Path, directory: Path) -> Removed:
    with unused(root, directory.name) as free:
        if not free:
            raise ModelInUse(directory.name)
    return Removed(directory.name, size_of(directory), metadata.last_used(directory))


def _sweep(root: Path, *, dry: bool) -> int:
    """Remove unfinished downloads and work directories that no living process works on; return their bytes."""
    swept = 0
    for path in sorted((root / "models").glob(".*")):
        name = path.name[1:].removesuffix(".partial")
        if path.name.endswith(".gone"):
            name = name.removesuffix(".gone").rpartition(".")[0]
        with free_to_change(root, name) as ours:
            if ours:
                swept += size_of(path)
                if not dry:
                    shutil.rmtree(path, ignore_errors=True)
    for path in sorted((root / "partial").glob("*")):
        if path.suffix != ".part":
            if not path.with_suffix(".part").exists() and not dry:
                path.unlink(missing_ok=True)
            continue
        if (partial := Partial.take(path)) is None:
            continue
        with partial:
            swept += partial.size
            if not dry:
                partial.discard()
    return swept
