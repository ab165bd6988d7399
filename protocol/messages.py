"""What processes say to each other: one struct a message type, in one envelope.

On the wire a message is two frames: the topic, which is the type (`transcript.final`), and the envelope as JSON. A
reader that meets an unknown field ignores it and skips an unknown type, so that newer stages and older observers live
together; a known type with a wrong body is an error that names the JSON path and never quotes the content.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from sottovoce.protocol.exceptions import MessageError

VERSION = 1
MAX_BYTES = 64 << 10
"""Of a payload. The largest that the service makes has 25 KB: a source whose path is 4,095 signs that JSON writes with
six bytes each. A final of 60 s of speech with the ids of 300 drafts has 13 KB, a usual one 0.5 KB."""


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of all bodies."""


class Utterance(Body, frozen=True):
    """Base of bodies about one utterance: its key is the capture stream and its first sample."""

    stream: int
    first: int
    """Index of the first sample, pre-roll included."""

    @property
    def trace(self) -> str:
        """The trace id that follows an utterance through all stages."""
        return trace_id(self.stream, self.first)


Mode: TypeAlias = Literal["dictation", "code", "verbatim", "spelling", "command"]
"""How spoken words are taken. `dictation` is prose. In `code` operators are commands, too, and no word begins a
sentence. In `verbatim` every word is a word. In `spelling` words of the alphabet are letters. In `command` only
commands are heard, and nothing else is typed."""


class PipelineState(Body, frozen=True, tag="state.pipeline"):
    """The conductor's state, and with it what every stage should be doing (re-sent to late subscribers)."""

    state: Literal["idle", "recording", "processing"]
    generation: int
    """Counts recordings; 0 before the first."""
    source: str
    """"microphone" or the path of a file."""
    waiting: int
    """Utterances captured and not yet delivered."""


class StageState(Body, frozen=True, tag="state.stage"):
    """One process's own state (re-sent to late subscribers)."""

    stage: str
    pid: int
    state: Literal["loading", "ready", "stopping"]


class ModeState(Body, frozen=True, tag="state.mode"):
    """In which mode the transform takes what is said, and why (re-sent to late subscribers)."""

    mode: Mode
    by: Literal["voice", "command", "application", "default"]
    """What decided it: "code mode" was said; `sottovoce mode`; `[[transform.applications]]`; `[transform] mode`."""
    application: str
    """Which had the focus at the last utterance, "" where that is not known or was not asked."""


class CaptureStarted(Body, frozen=True, tag="capture.started"):
    """The first sample of a recording is about to enter the ring."""

    generation: int
    stream: int
    first: int
    source: str


class CaptureEnded(Body, frozen=True, tag="capture.ended"):
    """The last sample of a recording is in the ring."""

    generation: int
    stream: int
    end: int
    reason: str


class Frames(Body, frozen=True, tag="audio.frames"):
    """The doorbell: a frame was published. A hint only; readers look at the ring in any case."""

    stream: int
    seq: int
    head: int


class AudioLevel(Body, frozen=True, tag="audio.level"):
    """How loud the microphone is: ten times a second while it is recorded."""

    generation: int
    peak_dbfs: float
    """Of the largest sample since the last of these messages; -120 where all were zero."""
    rms_dbfs: float
    """Of the root of the mean square."""
    clipped: int
    """How many samples stood at full scale."""


class SpeechOnset(Utterance, frozen=True, tag="speech.onset"):
    """Somebody began to speak."""


class SpeechPause(Utterance, frozen=True, tag="speech.pause"):
    """Silence that may become an endpoint: the final decode may start on speculation."""

    end: int
    """Where the segment would end, tail included, if nothing more were said."""


class SpeechResumed(Utterance, frozen=True, tag="speech.resumed"):
    """The pause was none."""


Ending = Literal["complete", "lone", "unread", "open", "hanging"]
"""How a text ends: nothing shows that more will come; a single word; no words; a comma, or a word that seldom is the
last one of a sentence; a word that never is."""


class Reading(Utterance, frozen=True, tag="transcript.reading"):
    """How what was said before a pause ends, decoded ahead: the VAD chooses by it the silence that is an endpoint."""

    end: int
    """As the pause had it."""
    ending: Ending


class SegmentClosed(Utterance, frozen=True, tag="segment.closed"):
    """An endpoint: the utterance is journalled and waits for its final text."""

    end: int
    speech_end: int
    reason: Literal["silence", "stop", "length", "gap"]
    turn: float | None = None
    """The probability, by the voice, that the speaker was finished; None where nobody has judged."""
    speech_s: float | None = None
    """Seconds of it that the VAD took for speech."""
    sure: float | None = None
    """The VAD's mean probability over these."""


class SegmentsDrained(Body, frozen=True, tag="segment.drained"):
    """Every sample of a recording has been looked at."""

    generation: int


Confidence: TypeAlias = Literal["low", "medium", "high"]
"""How sure it is that this was said, see `actors.confidence`."""


class Draft(Utterance, frozen=True, tag="transcript.draft"):
    """A hypothesis of the open segment, to be shown and never typed."""

    end: int
    text: str
    stable: int
    """Length in characters of the prefix that two successive hypotheses agreed on (LocalAgreement-2)."""
    window_id: int
    """Grows with every decode, across processes and restarts: CLOCK_MONOTONIC ns at the decode's start."""
    number: int = 1
    """Counts the decodes of this utterance that had words; one that is missing was late, and dropped."""
    confidence: Confidence = "low"
    model: str = ""


class Final(Utterance, frozen=True, tag="transcript.final"):
    """The text of a closed segment."""

    end: int
    text: str
    window_id: int
    corrects_window_ids: tuple[int, ...]
    """The drafts that this replaces."""
    model: str
    audio_s: float
    decode_s: float
    speculative: bool
    """Decoded during the pause, before the endpoint was certain."""
    continues: bool = False
    """Decoded together with what was said before, it goes on in the same clause: that endpoint was too early."""
    mend: str | None = None
    """The mark, "" for none, that belongs at the end of the final before, where that has a full stop or the like."""
    confidence: Confidence = "low"


class Suppressed(Utterance, frozen=True, tag="transcript.suppressed"):
    """The segment is not typed, and why."""

    reason: str


class TextReady(Utterance, frozen=True, tag="text.ready"):
    """What will be typed. A hint: the injector takes text from the journal alone."""

    text: str
    edit: str = ""
    """What is done to what was typed before, as `protocol.rows.Edit.does` has it; "" of a text alone."""


class Typed(Utterance, frozen=True, tag="inject.typed"):
    """The text was handed to the desktop, once."""

    text: str
    backend: str
    timings_ms: dict[str, float]
    """Milliseconds from the end of the segment until it was transcribed, transformed and typed, by these names."""
    mended: bool = False
    """The last character of the text before was taken back first."""
    taken: int = 0
    """Of an edit: so many code points at the end of what stood were taken back; `text` is what was brought back."""


class NotTyped(Utterance, frozen=True, tag="inject.not_typed"):
    """The text is in the journal and was not (certainly) typed; `sottovoce history list` shows it."""

    state: Literal["in_doubt", "late"]
    detail: str


class Notice(Body, frozen=True, tag="notice"):
    """Something that a person should know, and what to do about it. Never holds dictated text."""

    level: Literal["info", "warning", "error"]
    stage: str
    code: str
    text: str


BODIES: tuple[type[Body], ...] = (
    PipelineState, StageState, ModeState, CaptureStarted, CaptureEnded, Frames, AudioLevel, SpeechOnset, SpeechPause,
    SpeechResumed, SegmentClosed, SegmentsDrained, Reading, Draft, Final, Suppressed, TextReady, Typed, NotTyped,
    Notice,
)  # fmt: skip


def topic_of(body: type[Body] | Body) -> str:
    """Return the topic, which is the type tag, of a body or its class."""
    return str(body.__struct_config__.tag)


_DECODERS = {topic_of(body): msgspec.json.Decoder(body) for body in BODIES}


def trace_id(stream: int, first: int) -> str:
    """Return the id that follows an utterance: `<stream in hex>-<first sample>`."""
    return f"{stream:x}-{first}"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around every body."""

    v: int
    src: str
    """Name of the sending process."""
    boot: str
    """Boot id: `t_ns` of two boots cannot be compared."""
    seq: int
    """Counts this sender's messages from 1; a jump is a loss, a fall is a restart."""
    t_ns: int
    """CLOCK_MONOTONIC at sending."""
    trace: str
    type: str
    body: msgspec.Raw


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded message."""

    src: str
    boot: str
    seq: int
    t_ns: int
    trace: str
    topic: str
    body: Body


_ENVELOPE = msgspec.json.Decoder(Envelope)
_QUOTED = re.compile(r"value (['\"]).*\1(?= - at `)", re.DOTALL)  # msgspec quotes a tag or enum value it does not know
_ENCODER = msgspec.json.Encoder()


def encode(body: Body, *, src: str, boot: str, seq: int, t_ns: int) -> tuple[bytes, bytes]:
    """Return the topic and payload frames of a message."""
    topic = topic_of(body)
    envelope = Envelope(
        v=VERSION, src=src, boot=boot, seq=seq, t_ns=t_ns, type=topic, body=msgspec.Raw(_ENCODER.encode(body)),
        trace=body.trace if isinstance(body, Utterance) else "",
    )  # fmt: skip
    return topic.encode(), _ENCODER.encode(envelope)


def decode(payload: bytes) -> Event | None:
    """Return the event of a payload, or None where its type or version is newer than this reader.

    Raises:
        MessageError: not JSON, not an envelope, larger than MAX_BYTES, or a known type with a wrong body.
    """
    if len(payload) > MAX_BYTES:
        raise MessageError(f"a message of {len(payload)} bytes; the limit is {MAX_BYTES}")
    try:
        envelope = _ENVELOPE.decode(payload)
        decoder = _DECODERS.get(envelope.type)
        if envelope.v != VERSION or decoder is None:
            return None
        body = decoder.decode(envelope.body)
    # RecursionError: msgspec's own answer to JSON nested a thousand deep.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Not `from error`: a traceback in a log would quote what was said.
        raise MessageError(f"malformed message: {_QUOTED.sub('value', str(error))}") from None
    return Event(
        src=envelope.src, boot=envelope.boot, seq=envelope.seq, t_ns=envelope.t_ns, trace=envelope.trace,
        topic=envelope.type, body=body,
    )  # fmt: skip
