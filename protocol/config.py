"""The configuration file, as types: what may be set, its default, its bounds, and a line of why.

TOML, all keys optional; an unknown key is an error, since a misspelt key that is silently ignored is the commonest
reason why "the setting does nothing". Durations are seconds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from sottovoce.protocol.config_outside import HookConfig, RewriteConfig
from sottovoce.protocol.config_values import (
    BaseUrl,
    Decibels,
    Keep,
    Megabytes,
    Percent,
    Probability,
    Provider,
    Seconds,
    Section,
    Short,
    Threads,
    Word,
)
from sottovoce.protocol.exceptions import ConfigError
from sottovoce.protocol.messages import Mode

Stage = Literal["conductor", "capture", "vad", "stt-draft", "stt-final", "transform", "inject"]
"""What the warden watches."""


class CaptureConfig(Section, frozen=True):
    """`[capture]`: where audio comes from."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] = "default"
    """"default", or an input as `sottovoce devices` lists it: part of its name, or PortAudio's index."""
    follow_default: bool = True
    """Whether a recording of the default input goes on with another one as soon as that is the default."""
    channel: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    """Of an input with several channels: 0 for the mean of two, or the first of more than two; n for the n-th alone."""
    standby: Literal["closed", "warm"] = "closed"
    """"closed" opens the input on demand, and what is said meanwhile is lost; "warm" keeps it open, in memory only."""
    preroll: Short = 0.3
    """With "warm": so much of what was heard before the wish for a recording belongs to it."""
    ring_seconds: Annotated[float, msgspec.Meta(ge=10.0, le=3600.0)] = 300.0
    """Length of the audio ring, which is the replay log of a restarted stage: 64 KB of memory a second."""


class PttConfig(Section, frozen=True):
    """`[ptt]`: push-to-talk."""

    limit: Annotated[float, msgspec.Meta(ge=1.0, le=3600.0)] = 120.0
    """A key that is down for longer is taken for released: a release that was lost must not record for ever."""


class VadConfig(Section, frozen=True):
    """`[vad]`: where speech begins and ends."""

    model: str = "silero-v6"
    threshold: Probability = 0.5
    """Speech begins at a frame of at least this probability."""
    release: Probability = 0.35
    """Speech goes on while frames stay at or above this (hysteresis: a flicker around one threshold cuts words)."""
    min_speech: Short = 0.1
    """Shorter bursts are clicks, not words."""
    gain: Decibels = 12.0
    """Quiet speech is raised by up to so many dB for the detector, and for it alone (`actors.gain`); 0 for none."""
    pause: Short = 0.096
    """Silence after which the final decode starts on speculation."""
    endpoint: Literal["fast", "balanced", "patient"] | Short = "balanced"
    """Silence that closes a segment: a profile, which adapts it to what was said and who speaks (`actors.endpoint`), or
    a fixed number of seconds."""
    turn: str = "smart-turn-v3"
    """The model that judges by the sound of it whether a pause is the end; "" for none. A fixed endpoint needs none."""
    preroll: Short = 0.1
    """Audio kept from before the first speech frame, so that soft onsets are not clipped; with more of it the embedded
    model errs more (docs/benchmarks.md)."""
    tail: Short = 0.096
    """Audio kept from after the last speech frame; small models invent words on long silent tails."""
    max_segment: Annotated[float, msgspec.Meta(ge=5.0, le=60.0)] = 24.0
    """Longer speech is split at its quietest point; engines degrade beyond about 30 s."""


class FinalConfig(Section, frozen=True):
    """`[stt.final]`: the recogniser whose text is typed."""

    model: str = "moonshine-tiny-en"
    provider: Provider = "auto"
    """What runs it, where its engine has a choice (`onnx`): the best that there is, "cpu", "cuda" or "tensorrt"."""
    threads: Threads = 0
    """0: as many as `sottovoce models probe` found to be best for this model here; 1 where it was not probed."""
    unload_after: Seconds = 0.0
    """The model is taken out of memory when nothing was recorded for so long, and loaded again when a recording begins,
    while the first words wait in the ring; 0: never."""
    context: Annotated[float, msgspec.Meta(ge=0.0, le=30.0)] = 10.0
    """A segment is decoded together with what was said in so many seconds before its end; 0 decodes it alone."""
    gate: bool = False
    """A draft of the whole segment in which there is high confidence is taken for the final, and the heavier model does
    not decode it. It pays where `[stt.draft] model` is another one."""
    fallback: str = "moonshine-tiny-en"
    """The model that takes over where `model` cannot be loaded or keeps killing its process; "" for none."""


class DraftConfig(Section, frozen=True):
    """`[stt.draft]`: the recogniser whose text is only shown, while one speaks."""

    enabled: bool = True
    model: str = "moonshine-tiny-en"
    provider: Provider = "auto"
    threads: Threads = 0
    """0: as of `[stt.final]`."""
    unload_after: Seconds = 0.0
    """As of `[stt.final]`."""
    interval: Seconds = 0.2
    """Shortest time between two drafts; the process lengthens it when decoding is slow."""


class SttConfig(Section, frozen=True):
    """`[stt]`."""

    language: Annotated[str, msgspec.Meta(pattern=r"^([a-z]{2,3})?\Z")] = ""
    """What is spoken, ISO 639-1: the models are told, and text in another writing is refused. "" is what the model
    finds out, or the one language that it has. What is written follows `[transform] language`, whatever this says."""
    mode: Literal["parallel", "cascaded"] = "parallel"
    """"parallel": draft and final decode at the same time, each on cores of its own; "cascaded": never at once, for a
    machine with one core to spare."""
    final: FinalConfig = FinalConfig()
    draft: DraftConfig = DraftConfig()


class VocabularyConfig(Section, frozen=True):
    """`[vocabulary]`: words and names that the recogniser is to listen for, where it can (`sottovoce models info`)."""

    words: Annotated[tuple[Word, ...], msgspec.Meta(max_length=500)] = ()
    """As they are to be written: "Sottovoce", "Ada Lovelace". The most important first."""

    def __post_init__(self) -> None:
        """Refuse what no engine could make anything of."""
        seen = set[str]()
        for number, word in enumerate(self.words, 1):
            if word != word.strip() or not any(map(str.isalnum, word)):
                raise ValueError(f"words: word {number} is blank, or has blanks around it")
            if word in seen:
                raise ValueError(f"words: word {number} is there twice")
            seen.add(word)


class ApplicationConfig(Section, frozen=True):
    """`[[transform.applications]]`: the mode for an application while it has the focus. The first that fits counts."""

    match: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    """A regular expression for the whole of the application's name, "kitty|foot|xterm"; capitals make no difference.
    `sottovoce mode --focused` tells the name."""
    mode: Mode
    title: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """One that is also to be found in the title of its window."""

    def __post_init__(self) -> None:
        """Refuse what is no regular expression."""
        for key, pattern in (("match", self.match), ("title", self.title)):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{key}: {pattern!r} is not a regular expression: {error}") from error


class TransformConfig(Section, frozen=True):
    """`[transform]`: from what was heard to what is written."""

    language: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}\Z")] = "en"
    mode: Mode = "dictation"
    """The one to begin with, until another is chosen by voice or with `sottovoce mode`."""
    applications: Annotated[tuple[ApplicationConfig, ...], msgspec.Meta(max_length=100)] = ()
    """Modes by the application that has the focus."""
    carry: Seconds = 30.0
    """A recording begun within this time of the last text goes on where that stopped (space, small letter)."""
    numbers: Literal["explicit", "natural", "off"] = "explicit"
    """"explicit" writes digits after "number", "line", "version" and the like, and for what can only be meant so;
    "natural" wherever people write digits ("25%", "3:30 pm"). English only."""
    corrections: bool = True
    """Whether what was learned (`sottovoce learn`) is applied."""
    phonetic: Annotated[float, msgspec.Meta(ge=0.5, le=1.0)] = 0.8
    """How similar the letters of words that sound alike must be to be taken for one another (Jaro-Winkler)."""
    fillers: bool = True
    """Whether "um" and the like are left out; in verbatim they never are."""
    profanity: Literal["keep", "mask"] = "keep"
    """"mask" writes "f***" for the worst words of the language; in verbatim they stay."""


class InjectConfig(Section, frozen=True):
    """`[inject]`: where text goes."""

    backends: Annotated[
        tuple[Literal["auto", "wtype", "xdotool", "file", "stdout"], ...], msgspec.Meta(min_length=1)
    ] = ("auto",)
    """Tried in this order; the next one only where it is proven that nothing was typed."""
    file: str = ""
    """The file that the `file` backend appends to."""
    deliver_within: Seconds = 30.0
    """Text whose turn comes later than this after it was spoken is offered in history, not typed into whatever has the
    focus by then."""
    mend_within: Seconds = 10.0
    """Who paused in mid-sentence may find a full stop typed there. When the sentence goes on, that one character is
    taken back with BackSpace, if it was typed no longer ago than this and into the window that still has the focus, as
    far as that can be known. 0: never."""


class EditsConfig(Section, frozen=True):
    """`[edits]`: "scratch that" and the like."""

    enabled: bool = True
    """Whether they are heard; where not, they are words."""
    within: Seconds = 60.0
    """What was typed longer ago than this is not taken back: who knows where the cursor is by then."""
    keys: bool = False
    """Whether "press enter" and the like press keys; where not, they are words."""


class HistoryConfig(Section, frozen=True):
    """`[history]`: how long dictated text is kept."""

    keep: Keep = "30d"
    """"30d" (days), "session" (until the service stops) or "none" (erased when typed, journal in memory only)."""


class WardenConfig(Section, frozen=True):
    """`[warden]`: when a stage counts as hung or hopeless."""

    stalled_after: Annotated[float, msgspec.Meta(ge=1.0, le=600.0)] = 2.5
    """A stage that turns its loop no more for this long is killed and replaced."""
    loading_limit: Annotated[float, msgspec.Meta(ge=1.0, le=3600.0)] = 120.0
    """The same while it loads a model."""
    busy_limit: Annotated[float, msgspec.Meta(ge=1.0, le=3600.0)] = 60.0
    """The same while it is in one long native call: a decode, a delivery."""
    starting_limit: Annotated[float, msgspec.Meta(ge=1.0, le=3600.0)] = 30.0
    """The same before its loop exists, while it imports what it needs: 0.2 s from a warm cache."""
    restarts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    """More deaths than this within `window` park the stage."""
    window: Seconds = 30.0
    growth: Megabytes = 500
    """A stage that needs so many MB more than when it was first ready is restarted between two utterances."""
    memory: dict[Stage, Megabytes] = msgspec.field(default_factory=dict)
    """`[warden.memory]`: the same for so many MB in all, by stage, e.g. `stt-final = 1500`."""
    memory_every: Annotated[float, msgspec.Meta(ge=0.1, le=3600.0)] = 5.0
    """Every so often the memory of one stage is measured, of each in turn."""


class ModelsConfig(Section, frozen=True):
    """`[models]`: how models come here, and how much room they may take."""

    mirrors: dict[BaseUrl, BaseUrl] = msgspec.field(default_factory=dict)
    """`[models.mirrors]`: `"https://github.com" = "https://mirror.example/github"` has the second asked instead of the
    first; so for "https://huggingface.co" and any other base of a URL. No token is sent to a mirror."""
    offline: bool = False
    """Never download anything; what is not here is named. SOTTOVOCE_OFFLINE=1 and HF_HUB_OFFLINE=1 do the same."""
    cache_limit: Annotated[int, msgspec.Meta(ge=0, le=100_000_000)] = 0
    """Megabytes: beyond them `models pull` and `models gc` remove what was longest not used; 0 for no limit."""


class MemoryConfig(Section, frozen=True):
    """`[memory]`: how much the models may take, and what is done when memory runs short."""

    ram: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """MB that the recognisers may take together; the final has its share first. 0: as many as are free."""
    vram: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """MB of a graphics card's memory that a model may take; 0: as many as are free."""
    ram_high: Percent = 80
    """From here on, in percent of the machine's memory, or of the control group's, drafts are not shown: their model is
    taken out of memory until there is room again."""
    ram_critical: Percent = 90
    """From here on, what is kept of files and what is freed is given back too, and the person is told."""
    vram_high: Percent = 85
    """The same for graphics cards, where the package `nvidia-ml-py` is installed."""
    vram_critical: Percent = 95
    check_every: Annotated[float, msgspec.Meta(ge=0.1, le=3600.0)] = 2.0
    """Every so often memory is looked at."""

    def __post_init__(self) -> None:
        """Refuse levels in the wrong order."""
        for kind, high, critical in (
            ("ram", self.ram_high, self.ram_critical),
            ("vram", self.vram_high, self.vram_critical),
        ):
            if high > critical:
                raise ValueError(f"{kind}_high must not exceed {kind}_critical")


class LogConfig(Section, frozen=True):
    """`[log]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section, frozen=True):
    """The whole file."""

    capture: CaptureConfig = CaptureConfig()
    ptt: PttConfig = PttConfig()
    vad: VadConfig = VadConfig()
    stt: SttConfig = SttConfig()
    vocabulary: VocabularyConfig = VocabularyConfig()
    transform: TransformConfig = TransformConfig()
    hook: HookConfig = HookConfig()
    rewrite: RewriteConfig = RewriteConfig()
    inject: InjectConfig = InjectConfig()
    edits: EditsConfig = EditsConfig()
    history: HistoryConfig = HistoryConfig()
    warden: WardenConfig = WardenConfig()
    models: ModelsConfig = ModelsConfig()
    memory: MemoryConfig = MemoryConfig()
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        """Check what no single field can: relations between fields."""
        if self.vad.release > self.vad.threshold:
            raise ValueError("vad.release must not exceed vad.threshold - at `$.vad`")
        if not isinstance(self.vad.endpoint, str) and self.vad.pause > self.vad.endpoint:
            raise ValueError("vad.pause must not exceed vad.endpoint - at `$.vad`")
        for name, on, timeout in (
            ("hook", self.hook.command, self.hook.timeout),
            ("rewrite", self.rewrite.url, self.rewrite.timeout),
        ):
            if on and timeout >= self.warden.busy_limit:
                raise ValueError(f"{name}.timeout must be below warden.busy_limit - at `$.{name}`")
        if "file" in self.inject.backends and not self.inject.file:
            raise ValueError('inject.backends names "file" but inject.file is empty - at `$.inject`')


def load_config(path: Path) -> Config:
    """Read the file at `path`; a missing file means all defaults.

    Raises:
        ConfigError: unreadable, not TOML, or a key that may not be there or have that value.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return msgspec.toml.decode(data, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        from sottovoce.protocol.wrong import explained  # 1 ms that only a wrong file needs

        told = explained(error, Config).text
        raise ConfigError(f"{path}: {told}; `sottovoce config show` lists every key with its default") from error
