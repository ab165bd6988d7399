"""`sottovoce bench latency`: how long from the end of a sentence to its text, here and in the programs of others.

A dictation is composed of clips whose text is known (`ops.compose`), once for each gap. A service of its own hears it
in real time, then, if asked for, each peer (`ops.peers`), one after the other on a machine that has nothing else to do;
what came when is judged by the same rules for all (`ops.score`). After that our service alone
tells what it takes while nobody speaks, what a frame costs its VAD, and how long after a key's release its text comes.

Ours counts when it is typed, theirs when it is final. Ours counts all processes of the service, supervisord included;
theirs one process, which feeds itself. A model's loading counts for nobody.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import soundfile

from sottovoce.actors.audiofile import blocks
from sottovoce.actors.detector import Detector
from sottovoce.models import SileroVad, Store
from sottovoce.ops import peers, ptt_latency
from sottovoce.ops.compose import Composition, compose, read_manifest
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.live import feed
from sottovoce.ops.private import private_service
from sottovoce.ops.ptt_latency import sample
from sottovoce.ops.score import Event, percentile, score
from sottovoce.ops.service import models_of
from sottovoce.ops.settings import as_toml
from sottovoce.ops.usage import Meter, Usage
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import Config, VadConfig
from sottovoce.protocol.exceptions import ConfigError
from sottovoce.protocol.messages import CaptureStarted, Draft, Typed
from sottovoce.protocol.messages import Event as BusEvent
from sottovoce.protocol.messages import Final as FinalText
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.wrong import explained
from sottovoce.shm import FRAME_SAMPLES, CountersView, RingReader

GAPS_S: Final = (1.6, 0.8)
"""Between two sentences of a fluent speaker who stops to think, and of one who does not."""
OURS: Final = "sottovoce"
RATIOS: Final = ("ttfs_p50", "ttfs_p95", "ttfd_p50", "ttfd_p95", "wer", "flicker", "cpu_s", "pss_mib")
"""What is told as ours over theirs; below 1 is better."""
COUNTS: Final = (
    "utterances", "finals", "missed", "cut", "merged", "stray", "pauses", "pauses_cut", "cut_rate", "behind_s",
    "others_cores",
)  # fmt: skip
IDLE_S: Final = 20.0
RELEASES: Final = 20
_SETTLED_S: Final = 3.0  # what is done once, behind the start
_QUIET_CORES: Final = 0.2
"""More than this of other work on the machine, and times say more about that than about the programs."""


def run(
    manifest: Path, *, language: str = "en", gaps: Sequence[float] = GAPS_S, clips: int | None = None, seed: int = 1,
    hesitation: bool = False, settings: Sequence[str] = (), against: bool = False, alone: bool = True,
    peer_python: Path = Path(sys.executable), tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Run the benchmark.

    Args:
        manifest: of the clips; see `compose.read_manifest`.
        language: which clips.
        gaps: mean seconds between two of them; each makes a dictation of its own.
        clips: how many at most.
        seed: of gaps, noise and pauses.
        hesitation: put pauses of 0.2 to 1.0 s between words.
        settings: `KEY=VALUE` of the service's configuration, keys with dots.
        against: run the peers, too.
        alone: measure what only our service has: idleness, the VAD's frames, push-to-talk.
        peer_python: the interpreter that has their packages.
        tell: is called with a line of progress.

    Returns:
        What `docs/benchmarks.md` lists.

    Raises:
        ManifestError, AudioFileError: there is nothing right to play; names the line, or the file.
        ConfigError: a setting is wrong.
        ModelError: a model is not pulled.
        PeerMissing: a peer's package is not installed; says how to do that.
        OpsError: the service, or a peer, failed.
    """
    chosen = read_manifest(manifest, language, clips)
    toml, config = configuration(settings)
    for model in models_of(config):
        Store().path(model)  # a clear error here, before minutes have gone by
    score((), (), language)  # a package that it needs and that is not there is told now
    versions: dict[str, str] = {}
    if against:
        if config.stt.final.model != peers.MODEL:
            raise OpsError(f"the peers run {peers.MODEL} only; leave out stt.final.model={config.stt.final.model}")
        versions = peers.check(peer_python)
    report: dict[str, Any] = {
        "manifest": str(manifest), "language": language, "clips": len(chosen), "seed": seed, "hesitation": hesitation,
        "model": config.stt.final.model, "settings": list(settings), "cores": os.cpu_count(),
        "versions": {OURS: version("sottovoce"), **versions}, "dictations": [], "alone": None,
    }  # fmt: skip
    for gap in gaps:
        composition = compose(chosen, gap_s=gap, seed=seed, hesitation=hesitation)
        tell(f"{len(chosen)} utterances, {composition.seconds:.0f} s, gaps of {gap:g} s")
        report["dictations"].append(
            {
                "gap_s": gap, "audio_s": round(composition.seconds, 1),
                **_measure(
                    composition, language, toml, against=peers.PEERS if against else (), python=peer_python, tell=tell
                ),
            }
        )  # fmt: skip
    if alone:
        tell(f"sottovoce alone: {IDLE_S:g} s of silence, {RELEASES} releases of a key")
        report["alone"] = _alone(toml, config)
    return report


def configuration(settings: Sequence[str]) -> tuple[str, Config]:
    """Return `KEY=VALUE` pairs as TOML that may follow the keys of `[inject]`, and with all defaults.

    A value is what it is in TOML; what is nothing there is a text, so that quotes can be left out.

    Raises:
        ConfigError: one is no such pair, or the configuration has no such key or value.
    """
    tables: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        *path, name = key.strip().split(".")
        if not equals or not path or not all([*path, name]):
            raise ConfigError(f"--config {setting}: is not of the form SECTION.KEY=VALUE, e.g. vad.endpoint=0.3")
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value.strip()
        table = tables
        for part in path:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError(f"--config {setting}: {part} has been given a value of its own before")
        table[name] = parsed
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as error:
        told = explained(error, Config).text
        raise ConfigError(f"--config: {told}; `sottovoce config show` lists every key with its default") from error
    return as_toml(tables.pop("inject", {})) + as_toml(tables), config


def _measure(
    composition: Composition, language: str, toml: str, *, against: Sequence[peers.Peer], python: Path,
    tell: Callable[[str], object],
) -> dict[str, Any]:  # fmt: skip
    """Have everybody hear one dictation."""
    systems: dict[str, dict[str, Any]] = {}

    def judge(name: str, events: Sequence[Event], usage: Usage) -> None:
        judged = score(composition.utterances, events, language)
        systems[name] = {
            **judged.as_dict(), **asdict(usage),
            "cores_used": round(usage.cpu_s / composition.seconds, 3),
            "behind_s": round(max(0.0, usage.wall_s - composition.seconds), 2),
        }  # fmt: skip
        tell(f"  {name}: TTFS {judged.ttfs_p50} / {judged.ttfs_p95} s, WER {judged.wer:.1%}, {usage.cpu_s} s processor")

    with tempfile.TemporaryDirectory(prefix="sottovoce-latency-") as folder:
        wav = Path(folder) / "dictation.wav"
        soundfile.write(wav, composition.samples, SAMPLE_RATE, subtype="PCM_16")
        judge(OURS, *_ours(wav, toml))
        for peer in against:
            judge(peer.name, *peers.run(python, peer, wav, composition.seconds))
    compared = {name: ratios(systems[OURS], theirs) for name, theirs in systems.items() if name != OURS}
    return {"systems": systems, "ratios": compared}


def _alone(toml: str, config: Config) -> dict[str, Any]:
    """Return what our service takes while it waits, what a frame costs its VAD, and how long a released key takes."""
    audio = sample()
    with private_service(config=toml) as service:
        assert service.process is not None  # noqa: S101 - it was started here
        time.sleep(_SETTLED_S)
        meter = Meter(service.process.pid)
        time.sleep(IDLE_S)
        idle = meter.read()
        released = ptt_latency.run(service.paths, audio, ptt_latency.points(audio, RELEASES))
        with CountersView.attach(service.paths.counters("vad")) as page:
            frames = page.histograms()["frame_us"]
    return {
        "idle_cores": round(idle.cpu_s / idle.wall_s, 4), "others_cores": idle.others_cores,
        "vad_frame_us": {"mean": round(frames.mean, 1), "p50": frames.quantile(0.5), "p99": frames.quantile(0.99)},
        "vad_warm_us": _warm(audio, config.vad), "vad_model_us": _model(audio, config.vad),
        "ptt": {name: value for name, value in released.items() if name not in ("audio", "each")},
    }  # fmt: skip


def _warm(audio: Path, config: VadConfig) -> dict[str, float]:
    """Return what a frame costs the detector when frames follow one another, as they do while it catches up."""
    detector, took, at = Detector(config), list[float](), 0
    for block in blocks(audio, frames=FRAME_SAMPLES):
        began = time.perf_counter_ns()
        detector.push(at, block)
        took.append((time.perf_counter_ns() - began) / 1000)
        at += len(block)
    return _quantiles(took)


def _model(audio: Path, config: VadConfig) -> dict[str, float]:
    """Return what the model alone takes for a frame every 32 ms, without a service: no stage can take less here."""
    model, took = SileroVad(Store().path(config.model) / "silero_vad.onnx"), list[float]()
    for block in blocks(audio, frames=FRAME_SAMPLES):
        if len(block) < FRAME_SAMPLES:
            continue
        time.sleep(FRAME_SAMPLES / SAMPLE_RATE)
        began = time.perf_counter_ns()
        model.probability(block)
        took.append((time.perf_counter_ns() - began) / 1000)
    return _quantiles(took)


def _quantiles(took: Sequence[float]) -> dict[str, float]:
    return {name: round(float(percentile(took, which) or 0.0), 1) for name, which in (("p50", 50), ("p99", 99))}


def _ours(wav: Path, toml: str) -> tuple[list[Event], Usage]:
    """Have a service of its own hear a recording."""
    with private_service(config=toml) as service:
        assert service.process is not None  # noqa: S101 - it was started here
        meter, started = Meter(service.process.pid), list[CaptureStarted]()
        heard, zero_ns = list[BusEvent](), None
        for event in feed(service.paths, wav):
            body = event.body
            if isinstance(body, CaptureStarted) and not started:
                started.append(body)
            elif isinstance(body, Draft | FinalText | Typed):
                zero_ns = zero_ns or _spoken_ns(service.paths, started)
                heard.append(event)
        return lines(heard, zero_ns or 0), meter.read()


def _spoken_ns(paths: Paths, started: Sequence[CaptureStarted]) -> int:
    """Return when the first sample of a recording was spoken, on CLOCK_MONOTONIC.

    By the ring: `capture.started` itself is sent some ms after the file's clock was started. To be asked while the
    ring still has that sample.

    Raises:
        OpsError: the ring does not have it.
    """
    if started:
        with RingReader.attach(paths.ring) as reader:
            frame = reader.frame(started[0].first)
        if frame is not None:
            return frame.capture_ns - (frame.end - started[0].first) * 10**9 // SAMPLE_RATE
    raise OpsError("the recording's first sample is not in the ring, so nothing can be timed; run it once more")


def lines(events: Sequence[BusEvent], zero_ns: int) -> list[Event]:
    """Return what the service said as events that can be judged, in seconds since `zero_ns`."""
    found = list[Event]()
    for event in events:
        body = event.body
        if isinstance(body, Draft | FinalText | Typed):
            kind: Literal["draft", "final", "typed"] = (
                "draft" if isinstance(body, Draft) else "final" if isinstance(body, FinalText) else "typed"
            )
            found.append(Event((event.t_ns - zero_ns) / 1e9, kind, body.text, body.first))
    return found


def ratios(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, float | None]:
    """Return RATIOS of our figures to a peer's; None where one has none, or theirs is 0."""
    return {
        name: round(ours[name] / theirs[name], 3) if ours[name] is not None and theirs[name] else None
        for name in RATIOS
    }  # fmt: skip


def render(report: Mapping[str, Any]) -> str:
    """Return the report as tables: a column for each program, and below how ours compares with each peer."""
    text = [
        f"{report['model']}, {report['clips']} clips, seed {report['seed']}, {report['cores']} cores"
        + (", hesitating" if report["hesitation"] else "")
        + "".join(f", {setting}" for setting in report["settings"])
    ]
    for dictation in report["dictations"]:
        systems = dictation["systems"]
        text += ["", f"gaps of {dictation['gap_s']:g} s, {dictation['audio_s']:g} s in all"]
        text.append(f"{'':<16}" + "".join(f"{name:>20}" for name in systems))
        text += [
            f"{name:<16}" + "".join(f"{_figure(system[name]):>20}" for system in systems.values())
            for name in (*RATIOS, "cores_used", *COUNTS)
        ]
        if any(system["others_cores"] > _QUIET_CORES for system in systems.values()):
            text.append(
                "the machine was busy with other work (others_cores): do not trust these times, nor their ratios"
            )
        if dictation["ratios"]:
            text.append(f"{'ours / theirs':<16}{'':>20}" + "".join(f"{name:>20}" for name in dictation["ratios"]))
        text += [
            f"{name:<16}{'':>20}" + "".join(f"{_figure(ratio[name]):>20}" for ratio in dictation["ratios"].values())
            for name in RATIOS
            if dictation["ratios"]
        ]
        if report["hesitation"]:
            text += ["pauses cut, of all, by their length:", *_pauses(systems)]
    if (alone := report["alone"]) is not None:
        frame, warm, model = alone["vad_frame_us"], alone["vad_warm_us"], alone["vad_model_us"]
        text += [
            "",
            f"sottovoce alone: idle {alone['idle_cores']:.2%} of a core; "
            f"a frame of the VAD {frame['mean']:g} us (mean), p99 {frame['p99']:g} us, "
            f"one after the other {warm['p50']:g} us (median), p99 {warm['p99']:g} us, "
            f"the model alone every 32 ms {model['p50']:g} us (median), p99 {model['p99']:g} us",
            ptt_latency.render(alone["ptt"]),
        ]
    return "\n".join(text)


def _pauses(systems: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = zip(*(system["by_pause"] for system in systems.values()), strict=True)
    return [
        (f"over {row[0]['from']:g} s" if row[0]["to"] is None else f"{row[0]['from']:g} to {row[0]['to']:g} s").ljust(
            16
        )
        + "".join(f"{each['cut']} of {each['pauses']}".rjust(20) for each in row)
        for row in rows
    ]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
