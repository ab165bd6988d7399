"""Dictating into real windows: the whole service types, the window is read back."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from desktop import Window

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops.live import feed
from sottovoce.ops.private import private_service
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.messages import Typed

_SESSION = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR")


@pytest.fixture(params=[("x11_window", "xdotool"), ("wayland_window", "wtype")], ids=["X11", "Wayland"])
def session(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Window, str]:
    """Return a window and the name of the backend for it; what is started now is in the window's session."""
    window: Window = request.getfixturevalue(request.param[0])
    for name in _SESSION:
        monkeypatch.delenv(name, raising=False)
        if name in window.environ:
            monkeypatch.setenv(name, window.environ[name])
    return window, request.param[1]


def dictate(recording: Path, *, config: str = "") -> tuple[list[Typed], str]:
    """Feed a recording to a service; return what it says it typed, and what then stands in the window."""
    with private_service(root=Path("/dev/shm"), backends=("auto",), config=config) as service:
        typed = [event.body for event in feed(service.paths, recording, pace=0) if isinstance(event.body, Typed)]
    text = ""
    for body in typed:
        text = (text[:-1] if body.mended else text) + body.text
    return typed, text


def test_speech_appears_in_the_window(session: tuple[Window, str], beckett: Path) -> None:
    """A recording fed to a service in the window's session comes to stand in the focused window, once."""
    window, backend = session
    typed, expected = dictate(beckett)
    assert {body.backend for body in typed} == {backend}
    window.wait_for(expected)
    assert window.text() == expected
    assert len(re.findall(r"\w+", expected)) == 12


def test_a_full_stop_in_mid_sentence_is_taken_back(session: tuple[Window, str], speech: Path, tmp_path: Path) -> None:
    """Who pauses in "He might even have ... been made" finds a full stop there, and none when the sentence goes on."""
    samples = decode_file(speech / "clips" / "librivox-0930.wav")
    quiet = np.convolve(np.square(samples), np.ones(800) / 800, "same")
    at = SAMPLE_RATE + int(np.argmin(quiet[SAMPLE_RATE : SAMPLE_RATE * 3 // 2]))
    hush = (np.random.default_rng(5).standard_normal(2 * SAMPLE_RATE) * 3e-4).astype(np.float32)
    recording = tmp_path / "reader.wav"
    soundfile.write(recording, np.concatenate([samples[:at], hush[:12_800], samples[at:], hush]), SAMPLE_RATE)
    window, _ = session
    window.clear()
    first, second = dictate(recording, config="[vad]\nendpoint = 0.5\n")[0]
    assert (first.text, second.mended) == ("He might even have.", True)
    assert window.wait_for("He might even have been made amiable himself.").endswith(" have been made amiable himself.")
