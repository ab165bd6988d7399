"""Edits by voice as they are spoken: a synthesised voice, the whole service, a file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from stages import LEAN

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops.live import feed
from sottovoce.ops.private import private_service
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.messages import Typed


@pytest.mark.usefixtures("beckett")  # the models
def test_speech(tmp_path: Path) -> None:
    """Sentences are said, one and then a word are taken back by voice, and the text goes on behind what is left."""
    if shutil.which("flite") is None:
        pytest.skip("no speech synthesiser: apt install flite")
    noise = np.random.default_rng(1)
    parts = [np.zeros(0, np.float32)]
    for text in (
        "I will come to the station tomorrow.", "strike that", "I will stay at home today.", "delete the last word",
        "with my old friend.",
    ):  # fmt: skip
        spoken = tmp_path / "spoken.wav"
        subprocess.run(["flite", "-voice", "rms", "-t", text, "-o", str(spoken)], check=True)
        hush = (noise.standard_normal(round(1.3 * SAMPLE_RATE)) * 3e-4).astype(np.float32)
        parts += [hush, decode_file(spoken)]
    recording = tmp_path / "recording.wav"
    soundfile.write(recording, np.concatenate([*parts, hush]), SAMPLE_RATE)
    with private_service(config=LEAN) as service:
        typed = [event.body for event in feed(service.paths, recording, pace=0) if isinstance(event.body, Typed)]
        text = service.text()
    followed = ""
    for body in typed:
        followed = followed[: len(followed) - body.taken - body.mended] + body.text
    assert followed == text
    assert text.lower().startswith("i will stay at home with my old friend")
