"""Which build of ONNX Runtime is installed: the CPU one or the GPU one, and exactly one of them.

Both distributions write the same `onnxruntime` package, so the one installed last wins file by file, and the mixture
imports, runs and then says that there is no CUDA, or dies. pip cannot refuse the pair; we can.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from typing import Literal

from sottovoce.models.exceptions import RuntimeConflict

_DISTRIBUTIONS: dict[str, Literal["cpu", "gpu"]] = {"onnxruntime": "cpu", "onnxruntime-gpu": "gpu"}
_INSTALL = "`uv sync --extra cpu` or `pip install 'sottovoce[cpu]'` (gpu instead of cpu for an NVIDIA GPU)"


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """The installed ONNX Runtime."""

    flavour: Literal["cpu", "gpu"]
    version: str

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers of this build, best first. Imports onnxruntime."""
        import onnxruntime

        return tuple(onnxruntime.get_available_providers())


def check_onnxruntime(path: Sequence[str] | None = None) -> OnnxRuntime:
    """Find the installed ONNX Runtime, without importing it.

    Args:
        path: directories that hold distributions; `sys.path` if None.

    Raises:
        RuntimeConflict: both builds are installed, or neither; says how to mend it.
    """
    found = {
        name: distribution.version
        for name in _DISTRIBUTIONS
        for distribution in distributions(name=name, path=list(sys.path if path is None else path))
    }
    if not found:
        raise RuntimeConflict(f"ONNX Runtime is not installed; run {_INSTALL}")
    if len(found) > 1:
        raise RuntimeConflict(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; run "
            f"`pip uninstall -y onnxruntime onnxruntime-gpu`, then {_INSTALL}"
        )
    ((name, version),) = found.items()
    return OnnxRuntime(_DISTRIBUTIONS[name], version)
