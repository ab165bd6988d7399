"""The doctor's checks of the microphone: which one is recorded, whether it can be heard, and what has been lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from sottovoce.actors.capture.device import MicrophoneUnavailable, portaudio, served
from sottovoce.actors.capture.soundserver import SoundServerGone, SoundServerSilent, connected, view
from sottovoce.ops.devices import Input, inputs
from sottovoce.ops.finding import Finding, failed, ok, problem, skipped, warning
from sottovoce.protocol.config import CaptureConfig
from sottovoce.protocol.paths import Paths
from sottovoce.shm import CountersView, Histogram, ShmError

_FAINT = 0.1
"""Of full volume, on the sound server's cubic scale: 60 dB less."""
_SYLLABLE_MS = 200.0
"""Speech has some five syllables a second; to lose one is to lose a word."""
_SERVER = "systemctl --user restart pipewire pipewire-pulse, or start pulseaudio"


class Setting(msgspec.Struct, frozen=True):
    """What the sound server's mixer says of a source or of a stream."""

    title: str
    muted: bool
    volume: float
    """0.0 for silence, 1.0 for full; the mean of the channels."""


def microphone(config: CaptureConfig, capture: int) -> Iterator[Finding]:
    """Tell which input would be recorded, or is by process `capture` (0 for none), and if it can be heard."""
    try:
        # First, since PortAudio waits for a sound server that hangs, without limit.
        server, settings, streams = mixer(capture)
        found = inputs(config)
        reached = served(portaudio()) is not None
    except SoundServerSilent as error:
        yield problem("sound server", str(error), _SERVER)
        yield skipped("microphone", "the sound server would have to say")
        return
    except (SoundServerGone, MicrophoneUnavailable) as error:
        yield failed("microphone", error)
        return
    yield from sound_server(server, reached=reached)
    chosen = next((device for device in found if device.chosen), None)
    yield chosen_input(config, found, chosen)
    if chosen is not None and chosen.name in settings:
        yield level(settings[chosen.name])
    for stream in streams:
        yield recording(chosen, *stream)


def mixer(capture: int) -> tuple[str, dict[str, Setting], list[tuple[str, Setting]]]:
    """Ask the sound server.

    Returns:
        What it calls itself ("" where there is none), the settings of its sources by name, and of the streams that the
        process `capture` records, each with the name of its source.

    Raises:
        SoundServerSilent, SoundServerGone: it does not answer, or ended meanwhile.
    """
    with connected() as pulse:
        if pulse is None:
            return "", {}, []
        sources = pulse.source_list()
        names = {source.index: source.name for source in sources}
        streams = [
            (names.get(stream.source, ""), setting(stream, stream.name))
            for stream in pulse.source_output_list()
            if stream.proplist.get("application.process.id") == str(capture)
        ]
        view(pulse)  # as capture asks, lest it stumbles where this does not
        settings = {source.name: setting(source, source.description or source.name) for source in sources}
        return str(pulse.server_info().server_name), settings, streams


def setting(thing: Any, title: str) -> Setting:
    """Return the setting of one of pulsectl's sources or streams."""
    return Setting(title=title, muted=bool(thing.mute), volume=float(thing.volume.value_flat))


def sound_server(name: str, *, reached: bool) -> Iterator[Finding]:
    """Tell whether there is one, and whether PortAudio can reach it."""
    if not name:
        yield skipped(
            "sound server", "there is none that answers; devices are opened without one, by one program at a time"
        )
    elif not reached:
        yield problem(
            "sound server", f"{name} runs, and ALSA, through which it is recorded, does not lead there",
            "apt install libasound2-plugins (PulseAudio), pipewire-alsa (PipeWire)",
        )  # fmt: skip
    else:
        yield ok("sound server", name)


def chosen_input(config: CaptureConfig, found: list[Input], chosen: Input | None) -> Finding:
    """Tell which input the configuration means."""
    name = "microphone"
    if not found:
        return problem(name, "there is no input", "plug a microphone in, or start the sound server")
    if chosen is None:
        there = ", ".join(device.title for device in found if not device.monitor)
        return problem(
            name, f"[capture] device = {config.device!r} is none of those that are here: {there or 'no microphone'}",
            "sottovoce devices lists them; choose one with [capture] device",
        )  # fmt: skip
    told = f"{chosen.title} ({'the default' if config.device == 'default' else 'as [capture] device says'})"
    if not chosen.monitor:
        return ok(name, told)
    if config.device != "default":
        return warning(name, f"{told} is what the computer plays, no microphone")
    return problem(
        name, f"{told} is what the computer plays, no microphone",
        "choose a microphone in the desktop's sound settings, or with [capture] device; sottovoce devices lists them",
    )  # fmt: skip


def level(setting: Setting) -> Finding:
    """Tell whether an input is muted, or turned down."""
    if setting.muted:
        return problem("level", f"{setting.title} is muted at the sound server", "unmute it in the sound settings")
    percent = round(100 * setting.volume)
    if setting.volume < _FAINT:
        return problem("level", f"{setting.title} is turned down to {percent} %", "turn it up in the sound settings")
    return ok("level", f"not muted, volume {percent} %; `sottovoce mic` shows what is heard", volume=setting.volume)


def recording(chosen: Input | None, source: str, stream: Setting) -> Finding:
    """Tell what the service has open now."""
    if stream.muted or stream.volume < _FAINT:
        how = "muted" if stream.muted else f"turned down to {round(100 * stream.volume)} %"
        return problem("open input", f"the service's own stream is {how}", "in pavucontrol, Recording, turn it up")
    if chosen is not None and chosen.index is None and source != chosen.name:
        return warning(
            "open input", f"the service has {source} open, and {chosen.name} would be opened now",
            "end the recording; if the configuration was changed: sottovoce restart capture",
        )  # fmt: skip
    return ok("open input", f"the service has {source} open")


# -- what the service has counted --------------------------------------------------------------------------------------


def counted(paths: Paths, config: CaptureConfig) -> Iterator[Finding]:
    """Tell what was missed at the beginning of recordings, and what was lost within, since capture was started."""
    try:
        if not paths.runtime.is_dir():
            raise FileNotFoundError
        with CountersView.attach(paths.counters("capture")) as page:
            if not page.alive:
                raise FileNotFoundError
            counters, clipped = page.counters(), page.histograms()["clipped"]
    except (ShmError, KeyError, FileNotFoundError):
        yield skipped("beginnings", "are counted while the service runs")
        yield skipped("gaps", "are counted while the service runs")
        return
    yield beginnings(clipped, config)
    yield gaps(counters)


def beginnings(clipped: Histogram, config: CaptureConfig) -> Finding:
    """Tell how much speech was missed between the wish for a recording and its first sample.

    Args:
        clipped: capture's histogram of that, in microseconds.
        config: whose `standby` decides what can be done.
    """
    name = "beginnings"
    if not clipped.count:
        return skipped(name, "the microphone was not recorded since capture was started")
    median, worst = median_us(clipped) / 1000, clipped.max / 1000
    figures = {"recordings": clipped.count, "median_ms": round(median, 1), "worst_ms": round(worst, 1)}
    of = "1 recording" if clipped.count == 1 else f"{clipped.count} recordings"
    if not clipped.max:
        return ok(name, f"of {of} not a moment was missed", **figures)
    told = (
        f"from the wish for a recording to its first sample about {figures['median_ms']:.0f} ms of speech were missed "
        f"(median of {of}; {worst:.0f} ms at worst)"
    )
    if worst < _SYLLABLE_MS:
        return ok(name, f"{told}, less than a syllable", **figures)
    if config.standby == "warm":
        return warning(name, told, "the input had just broken off, or the service was just started", **figures)
    return warning(
        name, told, 'wait for that long before you speak, or set [capture] standby = "warm", which misses nothing',
        **figures,
    )  # fmt: skip


def median_us(histogram: Histogram) -> float:
    """Return the median, taken for the mean of its bucket, whose sum is what the other buckets leave of all.

    So where all values but one are in one bucket, as those are that one device takes to open, it is their mean.
    Interpolated in the bucket, six values of 267 to 327 ms gave a median of 327 ms.
    """
    below, bucket = 0, 0
    for bucket, number in enumerate(histogram.buckets):  # noqa: B007 - used below
        below += number
        if 2 * below >= histogram.count:
            break
    if bucket == 0:
        return 0.0
    others = [(1.5 * 2.0 ** (n - 1), number) for n, number in enumerate(histogram.buckets) if n not in {0, bucket}]
    rest = histogram.sum - sum(middle * number for middle, number in others)
    if highest := [middle for middle, number in others if number and middle > 2.0**bucket]:
        rest -= histogram.max - highest[-1]  # the largest is known
    mean = rest / max(1, histogram.buckets[bucket])
    return float(min(max(mean, 2.0 ** (bucket - 1)), 2.0**bucket, histogram.max))


def gaps(counters: dict[str, int]) -> Finding:
    """Tell what was lost in the midst of recordings."""
    names = ("gaps", "lost_ms", "reopened", "xruns")
    figures: dict[str, float] = {name: counters.get(name, 0) for name in names}
    if not counters.get("gaps") and not counters.get("reopened"):
        overruns = counters.get("xruns", 0)
        return ok("gaps", f"none in what was recorded{f', {overruns} overruns' if overruns else ''}", **figures)
    return warning(
        "gaps",
        f"{counters['gaps']} gaps in what was recorded, {counters['lost_ms'] / 1000:.1f} s in all; {counters['xruns']} "
        f"overruns, and the input was opened again {counters['reopened']} times",
        "sottovoce logs capture says why; gaps without a reason mean that the machine is too busy for its sound server",
        **figures,
    )
