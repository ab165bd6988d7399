"""One ONNX Runtime, not two, not none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.models import RuntimeConflict, check_onnxruntime


def install(folder: Path, name: str, version: str) -> None:
    """Write the metadata that an installed distribution leaves."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize(("name", "flavour"), [("onnxruntime", "cpu"), ("onnxruntime-gpu", "gpu")])
def test_one_build_is_recognised(tmp_path: Path, name: str, flavour: str) -> None:
    """Either build alone is fine, and is named with its version."""
    install(tmp_path, name, "1.30.0")
    install(tmp_path, "onnxruntime-extensions", "9.9")  # shares the name, not the package
    found = check_onnxruntime([str(tmp_path)])
    assert (found.flavour, found.version) == (flavour, "1.30.0")


def test_both_are_refused(tmp_path: Path) -> None:
    """Both builds at once are refused with the commands that mend it."""
    install(tmp_path, "onnxruntime", "1.30.0")
    install(tmp_path, "onnxruntime-gpu", "1.29.0")
    with pytest.raises(RuntimeConflict, match=r"pip uninstall -y onnxruntime onnxruntime-gpu.*uv sync --extra cpu"):
        check_onnxruntime([str(tmp_path)])


def test_neither_is_refused(tmp_path: Path) -> None:
    """No build at all is refused with the command that installs one."""
    with pytest.raises(RuntimeConflict, match=r"not installed.*uv sync --extra cpu.*sottovoce\[cpu\]"):
        check_onnxruntime([str(tmp_path)])


def test_here_there_is_one() -> None:
    """The environment these tests run in passes, and its build can run on the processor."""
    assert "CPUExecutionProvider" in check_onnxruntime().providers
