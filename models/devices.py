"""What there is to run a model on: processor, memory, graphics cards, and what ONNX Runtime can use of them.

Graphics cards are NVIDIA's, since those are what the `gpu` extra runs on. Their memory is asked of NVML where the
package `nvidia-ml-py` is installed, 1 ms a question, else of `nvidia-smi`, which starts a process for it; without
either the driver still tells their names.

ONNX Runtime is imported in a child process: a build for CUDA with the wrong libraries may take its process with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from sottovoce.models.exceptions import RuntimeConflict
from sottovoce.models.fingerprint import cpu_model
from sottovoce.models.ram import Ram, read_ram
from sottovoce.models.runtime import check_onnxruntime

CPU = "CPUExecutionProvider"
PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider", "cpu": CPU}
"""ONNX Runtime's names for what `EngineSettings.provider` calls so."""
_MIB = 1 << 20
_PATIENCE_S = 30.0  # nvidia-smi takes seconds where the driver is not kept loaded
_ASK = "import json, onnxruntime; print(json.dumps(onnxruntime.get_available_providers()))"
_QUERY = "index,name,memory.total,memory.free,driver_version"


class Gpu(msgspec.Struct, frozen=True):
    """A graphics card."""

    index: int
    name: str
    total: int | None
    free: int | None
    """Bytes; None where nobody tells."""
    driver: str = ""

    @property
    def used_percent(self) -> float | None:
        """Return how full its memory is."""
        return 100.0 * (1.0 - self.free / self.total) if self.total and self.free is not None else None


class Devices(msgspec.Struct, frozen=True):
    """The machine, as far as models are concerned."""

    cpu: str
    cores: int
    """That this process may use."""
    ram: Ram
    gpus: tuple[Gpu, ...]
    onnxruntime: str
    """Its flavour and version, or what is wrong with it."""
    providers: tuple[str, ...]
    """What this ONNX Runtime was built for, best first; whether a session gets it shows when a model is loaded."""


def find_devices() -> Devices:
    """Look at the machine; takes 0.3 s."""
    try:
        found = check_onnxruntime()
        runtime, offered = f"{found.flavour} {found.version}", providers()
    except RuntimeConflict as error:
        runtime, offered = str(error), ()
    return Devices(cpu_model(), cores(), read_ram(), gpus(), runtime, offered)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def providers() -> tuple[str, ...]:
    """Return the execution providers of the installed ONNX Runtime, best first; none where it cannot be imported."""
    try:
        child = subprocess.run([sys.executable, "-P", "-c", _ASK], capture_output=True, timeout=_PATIENCE_S, check=True)
        return tuple(msgspec.json.decode(child.stdout.splitlines()[-1], type=list[str]))
    except (OSError, subprocess.SubprocessError, IndexError, msgspec.DecodeError):
        return ()


def gpus() -> tuple[Gpu, ...]:
    """Return the graphics cards, by the first way that tells of any."""
    return from_nvml() or from_smi() or from_proc()


def from_nvml() -> tuple[Gpu, ...]:
    """Return what NVML tells; nothing without the package `nvidia-ml-py`, or without a driver."""
    try:
        pynvml: Any = import_module("pynvml")
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver, found = _text(pynvml.nvmlSystemGetDriverVersion()), []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            name = _text(pynvml.nvmlDeviceGetName(handle))
            found.append(Gpu(index, name, int(memory.total), int(memory.free), driver))
        return tuple(found)
    except pynvml.NVMLError:  # a card that has fallen off the bus
        return ()
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def from_smi() -> tuple[Gpu, ...]:
    """Return what `nvidia-smi` tells; nothing where it is not there, or has no driver to ask."""
    try:
        child = subprocess.run(
            ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"],
            capture_output=True, timeout=_PATIENCE_S, check=True, text=True, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_smi(child.stdout)


def parse_smi(text: str) -> tuple[Gpu, ...]:
    """Return the cards of an answer of `nvidia-smi`: a line each, memory in MiB, "[N/A]" for what it does not know."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 5 or not fields[0].isdigit():
            continue
        total, free = (int(field) * _MIB if field.isdigit() else None for field in fields[2:4])
        found.append(Gpu(int(fields[0]), fields[1], total, free, fields[4]))
    return tuple(found)


def from_proc(root: Path = Path("/proc/driver/nvidia")) -> tuple[Gpu, ...]:
    """Return what the driver's own files tell: the cards' names."""
    found = []
    for index, path in enumerate(sorted(root.glob("gpus/*/information"))):
        with contextlib.suppress(OSError):
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            found.append(Gpu(index, fields.get("Model", "NVIDIA GPU").strip(), None, None))
    return tuple(found)


def fallback_notice(model: str, asked: str, got: Sequence[str], *, offered: Sequence[str], cards: int) -> str:
    """Return what a person is to be told of where a model runs; "" where it runs as was asked.

    Args:
        model: its name.
        asked: `EngineSettings.provider`: "auto", "cpu", "cuda" or "tensorrt".
        got: the session's providers, best first, as ONNX Runtime names them.
        offered: what this ONNX Runtime was built for.
        cards: how many graphics cards there are.
    """
    first = got[0] if got else CPU
    if asked == "cpu" or first == PROVIDERS.get(asked, PROVIDERS["cuda"]):
        return ""
    if asked == "auto" and (first != CPU or not cards):
        return ""  # the best that there is
    where = "the processor" if first == CPU else first.removesuffix("ExecutionProvider")
    wanted = "cuda" if asked == "auto" else asked
    if not cards:
        why = "no graphics card is to be seen (`nvidia-smi` shows those that the driver knows)"
    elif PROVIDERS[wanted] not in offered:
        why = f"this ONNX Runtime is built without {PROVIDERS[wanted]}; install it with: pip install 'sottovoce[gpu]'"
    else:
        why = f"the session did not get {PROVIDERS[wanted]}: `sottovoce models devices` shows the card's free memory, "
        why += "and the log what CUDA said"
    return f"model {model} runs on {where} in the place of {wanted}: {why}"


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value  # old versions give bytes
