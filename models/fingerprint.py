"""What a measurement of a model holds for: these files, these arguments, this version of the engine, this processor.

Files are told apart by size and modification time, since to read 2 GB takes longer than to probe most models.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from sottovoce.models.catalogue import Entry

_PACKAGES = {
    "sherpa": ("sherpa-onnx",),
    "onnx": ("onnx-asr", "onnxruntime", "onnxruntime-gpu"),
    "pocketsphinx": ("pocketsphinx",),
}
_TOLD = ("name", "engine", "streaming", "constructor", "arguments", "options", "command", "url")
"""What an entry tells its engine; the rest of it (licence, WER, memory ...) may be corrected without a new probe."""


def fingerprint(entry: Entry, directory: Path) -> str:
    """Return 64 hexadecimal digits that change with anything a measurement depends on.

    Args:
        entry: the model.
        directory: where its files are; hidden ones are notes of ours and do not count.
    """
    told = {name: getattr(entry, name) for name in _TOLD}
    parts = (told, dict(versions(entry)), cpu_model(), sorted(_files(directory)))
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def versions(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield the packages that run this model and are installed, each with its version."""
    for name in _PACKAGES.get(entry.engine or "", ()):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue  # of onnxruntime and onnxruntime-gpu there is one


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name as the kernel has it; the architecture where it has none (most ARM boards)."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()


def _files(directory: Path) -> Iterator[tuple[str, int, int]]:
    for path in directory.rglob("[!.]*"):
        if path.is_file():
            status = path.stat()
            yield str(path.relative_to(directory)), status.st_size, status.st_mtime_ns
