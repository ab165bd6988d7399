"""The real `openai-whisper` in the reference child, with a checkpoint of random weights.

Collected only where SOTTOVOCE_WHISPER_PYTHON names a Python that has the package, which brings torch (docs/bridge.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sottovoce.models import EngineSettings, Entry, load_engine

LINKS = Path(__file__).parents[3] / "build" / "types"

MAKE = """
import sys, torch
from whisper.model import ModelDimensions, Whisper
torch.manual_seed(0)
dimensions = ModelDimensions(80, 1500, 64, 2, 2, 51865, 448, 64, 2, 2)
torch.save({"dims": vars(dimensions), "model_state_dict": Whisper(dimensions).state_dict()}, sys.argv[1])
"""


@pytest.fixture
def random_whisper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Make a checkpoint of a very small Whisper with random weights; return the Python that has the package."""
    python = os.environ["SOTTOVOCE_WHISPER_PYTHON"]
    assert LINKS.is_dir(), "run: make types"
    monkeypatch.setenv("PYTHONPATH", str(LINKS))
    subprocess.run([python, "-c", MAKE, str(tmp_path / "random.pt")], check=True, timeout=120)
    with tempfile.TemporaryDirectory(prefix="sottovoce-test-", dir="/dev/shm") as runtime:
        monkeypatch.setenv("SOTTOVOCE_RUNTIME_DIR", runtime)
        yield python


def test_the_real_whisper_runs(random_whisper: str, tmp_path: Path) -> None:
    """The package itself loads a checkpoint and transcribes by it; what random weights say is no text worth a look."""
    command = (random_whisper, "-m", "sottovoce.models.bridge.whisper")
    model = Entry(
        name="random",
        task="asr",
        engine="bridge",
        licence="MIT",
        command=command,
        hotwords="prompt",
        options={"word_timestamps": True, "temperature": 0},  # without a choice at random, which random weights can end
    )
    engine = load_engine(model, tmp_path, EngineSettings(language="en", hotwords=("Sottovoce",), timeout_s=120))
    result = engine.decode(np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32))
    engine.close()
    assert result.log_prob is None or result.log_prob < 0
    assert (result.language, result.audio_s) == ("en", 2.0)
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(8_000, "<i2").tobytes())
    arguments = ["--once", str(sound), "--json", "--directory", str(tmp_path), "--option", "temperature=0"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, json.loads(done.stdout)["audio_s"]) == (0, 0.5), done.stderr
