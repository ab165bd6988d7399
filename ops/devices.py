"""What can be recorded here: the inputs of the sound server, and those that PortAudio reaches without one."""

from __future__ import annotations

from typing import Any

import msgspec

from sottovoce.actors.capture.device import Wanted, choose, portaudio, served
from sottovoce.actors.capture.soundserver import PulseSource, View, connected, view
from sottovoce.protocol.config import CaptureConfig


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """An input device."""

    name: str
    """What `[capture] device` may hold; a part of it will do."""
    title: str
    """What people call it."""
    index: int | None
    """PortAudio's, which `[capture] device` may hold instead; None for a source of the sound server."""
    api: str
    """"sound server", or PortAudio's name of what it goes through: "ALSA", "JACK Audio Connection Kit"."""
    default: bool
    """What is recorded with `device = "default"`."""
    chosen: bool
    """What is recorded with the configuration as it is."""
    monitor: bool
    """What the computer plays, rather than a microphone."""
    rate: int
    """Its own sample rate in Hz; it is resampled to 16 kHz where it does not take that."""
    channels: int


def inputs(config: CaptureConfig) -> list[Input]:
    """Return all inputs, those of the sound server first.

    Raises:
        MicrophoneUnavailable: PortAudio is not installed.
        SoundServerSilent, SoundServerGone: the sound server does not answer, or ended meanwhile.
    """
    with connected() as pulse:
        seen = None if pulse is None else view(pulse)
    sounddevice = portaudio()
    if served(sounddevice) is None:  # PortAudio cannot reach it
        seen = None
    return [
        *([] if seen is None else _of_server(seen, choose(Wanted(config=config), seen))),
        *_of_portaudio(sounddevice, config, seen),
    ]


def _of_server(seen: View, chosen: PulseSource | None) -> list[Input]:
    return [
        Input(
            name=source.name, title=source.description, index=None, api="sound server",
            default=source.name == seen.default, chosen=source == chosen, monitor=source.monitor,
            rate=source.rate, channels=source.channels,
        )
        for source in seen.sources
    ]  # fmt: skip


def _of_portaudio(sounddevice: Any, config: CaptureConfig, seen: View | None) -> list[Input]:
    apis = [api["name"] for api in sounddevice.query_hostapis()]
    default = _index(sounddevice, None) if choose(Wanted(config=CaptureConfig()), seen) is None else None
    chosen = default
    if config.device != "default":
        device = int(config.device) if config.device.isdigit() else config.device
        chosen = _index(sounddevice, device) if choose(Wanted(config=config), seen) is None else None
    return [
        Input(
            name=info["name"], title=info["name"], index=info["index"], api=apis[info["hostapi"]],
            default=info["index"] == default, chosen=info["index"] == chosen, monitor=False,
            rate=int(info["default_samplerate"]), channels=info["max_input_channels"],
        )
        for info in sounddevice.query_devices()
        if info["max_input_channels"]
    ]  # fmt: skip


def _index(sounddevice: Any, device: int | str | None) -> int | None:
    """Return the index of the device that PortAudio would open; None for none, or for several of that name."""
    try:
        return int(sounddevice.query_devices(device, "input")["index"])
    except (sounddevice.PortAudioError, ValueError):
        return None


def as_line(device: Input) -> str:
    """Return an input as a line for a person."""
    mark = "*" if device.chosen else " "
    number = "" if device.index is None else f"{device.index}"
    words = [word for word, so in {"default": device.default, "what the computer plays": device.monitor}.items() if so]
    title = "" if device.title == device.name else f"{device.title}, "
    rest = f"{title}{device.api}, {device.rate} Hz, {device.channels} channel{'s' if device.channels > 1 else ''}"
    return f"{mark} {number:>3} {device.name}: {rest}{''.join(f' ({word})' for word in words)}"
