"""Choosing, opening and closing an input. Every call here may block for as long as a sound server is silent."""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Callable
from typing import Any

import msgspec

from sottovoce.actors.capture.convert import Converter, Pace
from sottovoce.actors.capture.soundserver import PulseSource, View, connected, view
from sottovoce.actors.capture.tap import Tap
from sottovoce.actors.exceptions import ActorError
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import CaptureConfig
from sottovoce.shm import FRAME_SAMPLES

_SERVED = ("pulse", "default", "pipewire")
"""ALSA devices that lead to a sound server, in the order in which they are looked for."""


class MicrophoneUnavailable(ActorError):
    """The input device cannot be opened; the text says what was tried and what to do."""


class OpenInput(msgspec.Struct):
    """A stream that runs."""

    stream: Any
    tap: Tap
    title: str
    """What people call the device."""
    source: PulseSource | None
    """The source of the sound server; None for a device that PortAudio reaches without one."""
    rate: int
    channels: int


class Wanted(msgspec.Struct, frozen=True):
    """Which input is to be opened."""

    config: CaptureConfig
    make_tap: Callable[[Converter, Pace], Tap] | None = None
    """Makes what takes the blocks; None where nothing is opened, only asked."""
    last: PulseSource | None = None
    """The source of a sound server that was recorded before it broke off, and to which to come back."""

    @property
    def follows(self) -> bool:
        """Whether the server's default is wanted, whatever it is."""
        return self.config.device == "default" and self.config.follow_default


def portaudio(*, anew: bool = False) -> Any:
    """Return PortAudio's Python module.

    Args:
        anew: have the list of devices made again; without that, it is as it was when the library was first used. No
            stream may be open.

    Raises:
        MicrophoneUnavailable: the system's library is missing.
    """
    try:
        import sounddevice
    except OSError as error:  # the wheel needs the system's libportaudio
        raise MicrophoneUnavailable(
            f"{error}; install PortAudio: apt install libportaudio2 (Debian), dnf install portaudio (Fedora)"
        ) from error
    # At exit it would stop the last stream, which on a hung server takes for ever.
    atexit.unregister(sounddevice._exit_handler)
    if anew:
        with contextlib.suppress(sounddevice.PortAudioError):  # it was not initialised, since that had failed
            sounddevice._terminate()
        sounddevice._initialize()
    return sounddevice


def open_input(wanted: Wanted) -> OpenInput:
    """Open and start the input; its tap is off.

    Raises:
        MicrophoneUnavailable: there is none, or it is refused.
        SoundServerSilent, SoundServerGone: the sound server does not answer, or ended meanwhile.
    """
    device = wanted.config.device
    with connected() as pulse:
        seen = None if pulse is None else view(pulse)
        source = choose(wanted, seen)
        sounddevice = portaudio()
        try:
            return _open(sounddevice, wanted, pulse, source)
        except (sounddevice.PortAudioError, ValueError):
            try:  # the list of devices may be from before it was plugged in, or the server was started
                return _open(portaudio(anew=True), wanted, pulse, source)
            except (sounddevice.PortAudioError, ValueError) as error:
                raise MicrophoneUnavailable(
                    f"input device {device!r} cannot be opened: {error}; `sottovoce devices` lists what there is; "
                    "choose another with [capture] device in the configuration, or check that the sound server runs"
                ) from error


def close_input(opened: OpenInput) -> None:
    """Stop and close; on a hung server this does not return before it goes on or dies."""
    opened.tap.close()
    opened.stream.abort(ignore_errors=True)
    opened.stream.close(ignore_errors=True)


def choose(wanted: Wanted, seen: View | None) -> PulseSource | None:
    """Return the sound server's source to be opened; None for PortAudio to choose."""
    device, last = wanted.config.device, wanted.last
    if seen is None:
        if last is not None:
            raise MicrophoneUnavailable("the sound server does not run")
        return None
    if device.isdigit():
        return None
    if device != "default":
        source = (seen.source(last.name) if last is not None else None) or seen.find(device)
    elif last is not None and not wanted.follows:
        source = seen.source(last.name)
    else:
        source = seen.source(seen.default)
        if last is not None and source is not None and source.monitor and not last.monitor:
            raise MicrophoneUnavailable(f"there is no microphone; {source.description} is what the computer plays")
    if source is None and last is not None:
        raise MicrophoneUnavailable(f"{last.description} is not there")
    return source


def _open(sounddevice: Any, wanted: Wanted, pulse: Any, source: PulseSource | None) -> OpenInput:
    config = wanted.config
    device: int | str | None = None
    if source is not None:
        # libpulse takes it for the device of streams that name none, as those of ALSA's plugin do (pulse(1)).
        os.environ["PULSE_SOURCE"] = source.name
        device = served(sounddevice)
        if wanted.follows:
            del os.environ["PULSE_SOURCE"]  # the server leaves a stream that named a source where it is
    elif config.device != "default":
        device = int(config.device) if config.device.isdigit() else config.device
    if not any(info["max_input_channels"] for info in sounddevice.query_devices()):
        raise ValueError("there is no input device")
    info = sounddevice.query_devices(device, "input")
    rate, channels = _format(sounddevice, device, info, source, config.channel)
    assert wanted.make_tap is not None  # noqa: S101 - whoever opens has one
    tap = wanted.make_tap(Converter(rate, channels, config.channel), Pace(rate))
    stream = sounddevice.InputStream(
        samplerate=rate, device=device, channels=channels, dtype="float32",
        blocksize=FRAME_SAMPLES * rate // SAMPLE_RATE, latency="low", callback=tap, finished_callback=tap.finish,
    )  # fmt: skip
    try:
        stream.start()
        if pulse is not None:
            source = _confirm(pulse, source, config)
    except BaseException:
        stream.close(ignore_errors=True)
        raise
    title = str(info["name"]) if source is None else source.description
    return OpenInput(stream=stream, tap=tap, title=title, source=source, rate=rate, channels=channels)


def served(sounddevice: Any) -> int | None:
    """Return PortAudio's index of the device that leads to the sound server."""
    names = {info["name"]: info["index"] for info in sounddevice.query_devices() if info["max_input_channels"]}
    return next((names[name] for name in _SERVED if name in names), None)


def _format(
    sounddevice: Any, device: int | str | None, info: Any, source: PulseSource | None, channel: int
) -> tuple[int, int]:
    """Return the rate and the number of channels to open: 16 kHz mono where that is taken, else what the device has."""
    there = source.channels if source is not None else int(info["max_input_channels"])
    if channel > there:
        raise ValueError(f"[capture] channel = {channel}, and it has {there}")
    # A server or a plug device mixes as `Converter` would; a bare device has as many channels as it has.
    for channels in (there,) if channel else (1, 2, there):
        for rate in (SAMPLE_RATE, int(info["default_samplerate"])):
            with contextlib.suppress(sounddevice.PortAudioError):
                sounddevice.check_input_settings(device=device, channels=channels, dtype="float32", samplerate=rate)
                return rate, channels
    sounddevice.check_input_settings(device=device, channels=1, dtype="float32", samplerate=SAMPLE_RATE)
    return SAMPLE_RATE, 1


def _confirm(pulse: Any, source: PulseSource | None, config: CaptureConfig) -> PulseSource | None:
    """Return the source that the server really gave, having moved the stream where it gave another than was chosen."""
    seen = view(pulse)
    if seen.stream is None:
        if source is not None and config.device != "default":
            raise ValueError(
                f"{source.description} belongs to the sound server, and ALSA's default device does not lead there; "
                "install ALSA's plugin for it: apt install libasound2-plugins (PulseAudio), pipewire-alsa (PipeWire)"
            )
        return None
    if source is not None and seen.recorded != source:
        pulse.source_output_move(seen.stream, source.index)
        seen = view(pulse)
    if source is not None and seen.recorded != source:
        raise ValueError(f"the sound server gave another source than {source.description}")
    return seen.recorded
