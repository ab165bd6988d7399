"""The guard: text that a recogniser invented is not typed.

Models answer noise with fluent sentences, often one sentence over and over, or with the end of a video. What no person
said in the time that the segment lasted is refused here; the journal keeps it with the reason. A reason never holds a
word of the text: reasons are logged.

Each rule has limits that a model may have its own of (`GuardSettings`, in its catalogue entry):

- *too fast*: letters a second. Fast conversational English is about 6 syllables, some 20 letters a second; 32 leaves
  room for fast readers. A Chinese, Japanese or Korean letter is a syllable or more, of which people say about 8 a
  second at most (Pellegrino et al., "A cross-language perspective on speech information rate", Language 87:3, 2011),
  so it counts as three. Where the VAD is asked, the time is that in which it heard speech.
- *the same over and over*: a phrase of three words five times, making up most of the text. "Very very very good", and a
  million's six zeros (four overlapping phrases) are a person; hum of one second gave seven times "Oh". And a text that
  zlib makes 2.4 times smaller, as Whisper's own decoder has it (`compression_ratio_threshold` in openai/whisper,
  `transcribe.py`); the clips come to 1.6 at most, and who dictates more than about twenty zeros and ones in one breath
  is refused.
- *a guess*: the mean log-probability of a token, where the engine gives one and the entry has a floor (Whisper's own is
  -1.0).
- *clicks*: keys and knocks that the VAD took for speech, far apart.
- *another writing*: Chinese letters in English; a sentence in Latin letters only, where the language is not written so.
  Names are: up to three words in Latin letters pass in any language.
- *hardly speech*: what was heard without end at first, and shortly once there was silence behind it (`actors.rehear`),
  where the segment is as good as silent. So a word that is cut off is typed, and noise is not.
- *what models say to silence*, a known phrase and nothing else, where the segment is as good as silent: so soft, so
  even, or for the VAD so doubtful or so sparse as speech never is. "Thank you." is a sentence that people dictate.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.models import GuardSettings
from sottovoce.protocol.clocks import SAMPLE_RATE

MAX_CHARACTERS_PER_SECOND: Final = GuardSettings().characters_per_second
SOFT_DB: Final = -62.0
"""A segment whose loudest tenth of a second is below this, in dB of full scale, is as good as silent. The clips at a
peak of 0.01 come to -56 at least."""
EVEN_DB: Final = 9.0
"""And so is one whose level varies by less than this. The clips under noise 10 dB below them come to 14 at least."""
SPARSE: Final = 0.3
"""And one that is speech, for the VAD, for a smaller share. The clips come to 0.55 at least."""
_SURE_AGAIN: Final = 0.75
"""For what was heard a second time the VAD must be as sure: of the clips it is 0.74 sure at least, under noise too."""
_SHORTEST_S: Final = 0.25
_AROUND_S: Final = 0.3  # speech that the VAD leaves out at the ends of what it hears
_LONG_S: Final = 3.0  # so long a segment may be asked how much of it is speech
_LATIN_WORDS: Final = 3
_LATIN_LETTERS: Final = 20
_SYLLABIC: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})
_SYLLABLE: Final = 3
_WORDS = re.compile(r"\w[\w'’]*")  # without the hyphen: the model answers noise with "2020-2020-2020-..."
_TAGS = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*")  # "[Music]", "(applause)", "*sighs*": never said, always meant
_HOP: Final = SAMPLE_RATE // 100


class Loudness(NamedTuple):
    """How loud a segment is; dB of full scale, and dB."""

    level_db: float
    """Of its loudest 100 ms."""
    contrast_db: float
    """Between the 95th and the 10th percentile of its 10 ms: syllables and the gaps between them make much of it, what
    hums or hisses little."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a segment besides its text; None: not known."""

    loudness: Loudness | None = None
    speech_s: float | None = None
    """Seconds in which the VAD heard speech."""
    sure: float | None = None
    """The VAD's mean probability over these."""
    log_prob: float | None = None
    """`Result.log_prob`."""
    reheard: bool = False
    """`Result.reheard`."""
    language: str = ""
    """The language that the text must be in (`models.spoken`); empty for any."""
    settings: GuardSettings = GuardSettings()


NOTHING: Final = Evidence()
"""No evidence: the text alone is judged."""


def refuse(text: str, seconds: float, evidence: Evidence = NOTHING) -> str | None:
    """Return why `text` cannot have been said in a segment, or None.

    Args:
        text: the recogniser's text, not empty.
        seconds: the segment's length.
        evidence: what else is known.
    """
    return next(_reasons(text, seconds, evidence), None)


def rambles(text: str, seconds: float) -> bool:
    """Tell whether a decoder came to no end: more than can be said in the time, or the same over and over.

    Two words or more three times in a row are enough for this: who is suspected is only heard a second time
    (`actors.rehear`), and nothing is refused for it.
    """
    words = _said(text)
    thrice = (
        words[at : at + length] == words[at + length : at + 2 * length] == words[at + 2 * length : at + 3 * length]
        for length in range(2, len(words) // 3 + 1)
        for at in range(len(words) - 3 * length + 1)
    )
    return bool(words) and (next(_stammers(text, seconds, words, NOTHING.settings), None) is not None or any(thrice))


def loudness(samples: NDArray[np.float32]) -> Loudness:
    """Return how loud a segment is.

    Args:
        samples: float32, shape (n,), 16 kHz, full scale 1.0. What is shorter than 10 ms is silent.
    """
    hops = len(samples) // _HOP
    if not hops:
        return Loudness(-np.inf, 0.0)
    power = np.square(samples[: hops * _HOP], dtype=np.float32).reshape(hops, _HOP).mean(axis=1, dtype=np.float64)
    longest = min(10, hops)
    loudest = np.convolve(power, np.full(longest, 1 / longest), mode="valid").max()
    low, high = np.percentile(power, (10, 95))
    floor = 1e-12  # -120 dB; digital silence has no logarithm
    return Loudness(10 * float(np.log10(loudest + floor)), 10 * float(np.log10((high + floor) / (low + floor))))


def nearly_silent(seconds: float, evidence: Evidence) -> bool:
    """Tell whether a segment is as good as silent, by whatever is known of it; without evidence it is not.

    Args:
        seconds: its length.
        evidence: what is known.
    """
    doubted = evidence.sure is not None and evidence.sure < evidence.settings.sure
    sparse = evidence.speech_s is not None and evidence.speech_s < SPARSE * seconds
    loud = evidence.loudness
    return doubted or sparse or (loud is not None and (loud.level_db < SOFT_DB or loud.contrast_db < EVEN_DB))


def compression_ratio(text: str) -> float:
    """Return the bytes of a text over those of it that zlib leaves."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def _reasons(text: str, seconds: float, evidence: Evidence) -> Iterator[str]:
    """Yield what speaks against a text."""
    limits = evidence.settings
    heard = seconds if evidence.speech_s is None else min(seconds, evidence.speech_s + _AROUND_S)
    words = _said(text)
    if not words:
        yield "no words"
    yield from _stammers(text, heard, words, limits)
    if limits.log_prob is not None and evidence.log_prob is not None and evidence.log_prob < limits.log_prob:
        yield f"a guess of the model (log-probability {evidence.log_prob:.2f})"
    if evidence.speech_s is not None and seconds >= _LONG_S and evidence.speech_s < limits.speech_ratio * seconds:
        yield f"speech in {evidence.speech_s:.1f} s of {seconds:.1f} s only"
    if limits.scripts and _foreign(_scripts(text), words, evidence.language):
        yield f"not in the writing of language {evidence.language}"
    unsure = evidence.sure is not None and evidence.sure < _SURE_AGAIN
    if evidence.reheard and (unsure or nearly_silent(seconds, evidence)):
        yield "what the model rambled about was hardly speech"
    if limits.phrases and nearly_silent(seconds, evidence) and _known(text):
        yield "what the model says to silence"


def _stammers(text: str, seconds: float, words: Sequence[str], limits: GuardSettings) -> Iterator[str]:
    """Yield why a text is more than anybody says in so many seconds."""
    scripts = _scripts(text)
    letters = len(text) + (_SYLLABLE - 1) * sum(scripts[script] for script in _SYLLABIC)
    if letters / max(seconds, _SHORTEST_S) > limits.characters_per_second:
        yield f"more text than can be said in {seconds:.1f} s"
    if _repeats(words, limits.repeats) or 0 < limits.compression_ratio < compression_ratio(text):
        yield "the same phrase over and over"


def _said(text: str) -> list[str]:
    """Return the words of a text, in small letters, without what is no speech."""
    return [word.lower() for word in _WORDS.findall(_TAGS.sub(" ", text))]


def _scripts(text: str) -> Counter[str]:
    """Count the letters of each writing."""
    return Counter(filter(None, map(_script, text)))


def _repeats(words: Sequence[str], repeats: int) -> bool:
    phrases = Counter(zip(words, words[1:], words[2:], strict=False))
    most = max(phrases.values(), default=0)
    return most >= repeats and 3 * most > len(words) / 2


def _foreign(scripts: Counter[str], words: Sequence[str], language: str) -> bool:
    """Tell whether a text is in another writing than its language's."""
    own = _writing().get(language)
    if own is None:
        return False
    latin = 0 if "LATIN" in own else scripts["LATIN"]
    mine = sum(scripts[script] for script in own)
    others = scripts.total() - mine - latin
    if others >= 2 and others > mine + latin:
        return True
    return mine == 0 and latin >= _LATIN_LETTERS and len(words) > _LATIN_WORDS


def _known(text: str) -> bool:
    """Tell whether a text is one known phrase, or several in a row, and nothing else."""
    plain, phrases = _plain(text), _phrases()
    reached = {0}
    for at in range(len(plain)):
        if at in reached:
            reached.update(at + len(phrase) for phrase in phrases if plain.startswith(phrase, at))
    return bool(plain) and len(plain) in reached


def _plain(text: str) -> str:
    """Return the letters of a text, in one case: without marks, digits and spaces."""
    return "".join(filter(str.isalpha, unicodedata.normalize("NFKC", text).casefold()))


@cache
def _script(letter: str) -> str | None:
    """Return the writing that a letter belongs to, as Unicode names its letters; None for what is none."""
    if not letter.isalpha():
        return None
    script = unicodedata.name(letter, "").partition(" ")[0]
    return script if script in _data()["scripts"] else None


@cache
def _writing() -> dict[str, frozenset[str]]:
    """Return the writings of each language."""
    found: dict[str, set[str]] = {}
    for script, languages in _data()["scripts"].items():
        for language in languages:
            found.setdefault(language, set()).add(script)
    return {language: frozenset(scripts) for language, scripts in found.items()}


@cache
def _phrases() -> frozenset[str]:
    return frozenset(_plain(phrase) for phrases in _data()["phrases"].values() for phrase in phrases)


@cache
def _data() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = tomllib.loads(
        Path(__file__).with_name("guard.toml").read_text(encoding="utf-8")
    )
    return found
