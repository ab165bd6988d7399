"""An ONNX Runtime session on one thread, for the small models that run beside everything else."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from sottovoce.models.exceptions import EngineFailed


def open_session(path: Path, inputs: Collection[str], *, model: str, kind: str, keeps_memory: bool = True) -> Any:
    """Load a model for the processor.

    Args:
        path: its file.
        inputs: the names that its inputs have.
        model: its name in the catalogue.
        kind: what it is, for people.
        keeps_memory: what a run needs is kept for the next one; else it is the allocator's again.

    Raises:
        EngineFailed: the file is missing or is another model.
    """
    if not path.is_file():
        raise EngineFailed(f"{path} is not a file; run: sottovoce models pull {model}")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = options.enable_mem_pattern = keeps_memory
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no other base
        raise EngineFailed(f"{path}: ONNX Runtime cannot load it: {error}") from error
    names = [tensor.name for tensor in session.get_inputs()]
    if sorted(names) != sorted(inputs):
        raise EngineFailed(f"{path}: not {kind}: its inputs are {', '.join(names)}")
    return session
