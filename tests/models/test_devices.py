"""What there is to run models on, from what the tools of a machine with graphics cards have answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sottovoce.models.devices import (
    Gpu,
    cores,
    fallback_notice,
    find_devices,
    from_proc,
    from_smi,
    gpus,
    parse_smi,
)

SMI = """\
0, NVIDIA GeForce RTX 3060, 12288, 11021, 550.54.14
1, NVIDIA A100-SXM4-40GB MIG 1g.5gb, [N/A], [N/A], 550.54.14
"""
INFORMATION = "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ:   \t\t 130\nGPU UUID: \t GPU-0\nBus Type: \t PCIe\n"
CARD = Gpu(0, "NVIDIA GeForce RTX 3060", 12288 << 20, 11021 << 20, "550.54.14")
CPU_BUILD, GPU_BUILD = (
    ("CPUExecutionProvider",),
    ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
)


def test_what_nvidia_smi_answers() -> None:
    """Memory is in MiB; what it does not know is None; lines that are no cards are none."""
    assert parse_smi(SMI) == (CARD, Gpu(1, "NVIDIA A100-SXM4-40GB MIG 1g.5gb", None, None, "550.54.14"))
    assert CARD.used_percent == pytest.approx(100 * (1 - 11021 / 12288))
    assert parse_smi(SMI)[1].used_percent is None
    assert parse_smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n") == ()


def test_nvidia_smi_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program on the PATH is asked for exactly these fields; one that fails has no cards."""
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat <<END\n{SMI}END\n')
    tool.chmod(0o755)
    assert from_smi()[0] == CARD
    asked = (tmp_path / "asked").read_text().split()
    assert asked == [
        "--query-gpu=index,name,memory.total,memory.free,driver_version",
        "--format=csv,noheader,nounits",
    ]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert from_smi() == ()


def test_the_drivers_own_files(tmp_path: Path) -> None:
    """Without NVML and nvidia-smi the names are known, and no memory."""
    folder = tmp_path / "gpus" / "0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(INFORMATION)
    assert from_proc(tmp_path) == (Gpu(0, "NVIDIA GeForce RTX 3060", None, None),)
    assert from_proc(tmp_path / "nothing") == ()


def test_this_machine() -> None:
    """The real machine has a processor, memory, and an ONNX Runtime that can at least use the processor."""
    found = find_devices()
    assert found.cores == cores() == len(os.sched_getaffinity(0))
    assert found.cpu
    assert found.gpus == gpus()
    assert "CPUExecutionProvider" in found.providers
    assert found.onnxruntime.split()[0] in {"cpu", "gpu"}


@pytest.mark.parametrize(
    ("asked", "got", "offered", "cards", "says"),
    [
        ("cpu", CPU_BUILD, GPU_BUILD, 1, ""),
        ("auto", CPU_BUILD, CPU_BUILD, 0, ""),
        ("auto", GPU_BUILD[1:], GPU_BUILD, 1, ""),
        ("cuda", GPU_BUILD[1:], GPU_BUILD, 1, ""),
        ("tensorrt", GPU_BUILD, GPU_BUILD, 1, ""),
        ("auto", CPU_BUILD, CPU_BUILD, 1, "built without CUDAExecutionProvider; install"),
        ("auto", CPU_BUILD, GPU_BUILD, 1, "did not get CUDAExecutionProvider"),
        ("cuda", CPU_BUILD, GPU_BUILD, 0, "on the processor in the place of cuda: no graphics card is to be seen"),
        ("tensorrt", GPU_BUILD[1:], GPU_BUILD, 1, "on CUDA in the place of tensorrt"),
        ("cuda", (), GPU_BUILD, 1, "on the processor"),
    ],
)  # fmt: skip
def test_who_asked_for_more_is_told(
    asked: str, got: tuple[str, ...], offered: tuple[str, ...], cards: int, says: str
) -> None:
    """A model that runs elsewhere than was asked is told of, with the likeliest reason; one that does not is not."""
    notice = fallback_notice("parakeet", asked, got, offered=offered, cards=cards)
    assert says in notice
    assert bool(notice) == bool(says)
