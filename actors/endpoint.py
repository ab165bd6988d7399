"""The endpoint: how long a silence has to last until what was said counts as finished.

A fixed silence is too long for who has finished and too short for who is thinking. So the silence that closes a segment
depends on four things:

- *what was said*. In each pause the final recogniser decodes ahead, and tells how its text ends (`Reading`): in a
  word after which nobody stops ("the", "and", "um"), or in a comma, which asks for more time. That it ends in a full
  stop says nothing. The embedded model's commas say nothing either (`guesses_marks` in `models/catalogue.toml`);
- *how it sounds*. At the same time a model of the voice (`actors.turn`) says how sure it is that this was the end. A
  voice that has come to its end is waited for less than the words alone would allow, and one that is held up, longer;
- *who speaks*. When the next words turn out to go on in the sentence before, that endpoint was too early, and the
  silences of this recording grow towards the pause that this speaker made (`Patience`); they shrink again slowly;
- *what the person wants*: a profile, or a fixed silence. A stop, or the release of a key, ends a segment at once.

As long as no reading has come, since the recogniser is slow or gone, the silence is `unread`: nothing waits for it. Nor
does anything wait for the voice's judgement: without one the words decide.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sottovoce.protocol.config import VadConfig
from sottovoce.protocol.messages import Ending

_OPEN_MARKS = (",", ";", ":", "-", "–", "—", "…", "...", "、", "，")
SURE = 0.8
UNSURE = 0.3
"""Of 17 clips in 7 languages, 12 end with a voice that is judged finished with at least the one, 4 with at most the
other; of 12 pauses of 0.25 s and more inside of them, 7 and 5."""
_DECAY = 0.8
"""Of the patience that a speaker was given, so much is left after an endpoint that was right."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Silences in seconds, by how the text before them ends.

    `complete` cannot be much below 0.36 s without cutting fluent readers, who pause for up to 0.35 s in a sentence
    (LJ001-0001 behind "with which we are at present concerned").
    """

    finished: float
    """Nothing in the words speaks against its being the end, and the voice has come to its end."""
    complete: float
    """Nothing in the words speaks against its being the end."""
    lone: float
    """A single word: "yes", or the first of a sentence."""
    unread: float
    """Not decoded yet; or the words may be the end, and the voice is held up."""
    open: float
    """A comma, or a word that seldom ends a sentence."""
    hanging: float
    """A word that never ends a sentence, or a filler."""
    limit: float
    """No patience with a speaker goes beyond this."""

    def silence(self, ending: Ending, turn: float | None) -> float:
        """Return the silence in seconds after a text that ends so.

        Args:
            ending: what its last words show.
            turn: the probability, by the voice, that the speaker is finished; None where nobody has judged.
        """
        if turn is not None and ending == "complete" and turn >= SURE:
            return self.finished
        if turn is not None and ending in ("complete", "lone") and turn <= UNSURE:
            return self.unread
        return float(getattr(self, ending))


PROFILES: Mapping[str, Profile] = {
    "fast": Profile(finished=0.20, complete=0.26, lone=0.40, unread=0.45, open=0.50, hanging=0.8, limit=0.5),
    "balanced": Profile(finished=0.25, complete=0.36, lone=0.45, unread=0.50, open=0.58, hanging=1.0, limit=0.7),
    "patient": Profile(finished=0.45, complete=0.60, lone=0.80, unread=0.80, open=1.00, hanging=1.8, limit=1.4),
}


def profile(config: VadConfig) -> Profile:
    """Return the profile that `[vad] endpoint` names, or one of that fixed silence."""
    if isinstance(config.endpoint, str):
        return PROFILES[config.endpoint]
    fixed = max(config.endpoint, config.pause)
    return Profile(finished=fixed, complete=fixed, lone=fixed, unread=fixed, open=fixed, hanging=fixed, limit=fixed)


class Patience:
    """How much longer than the profile says this speaker is waited for.

    Args:
        limit: the longest silence that it may make of `complete`, in seconds.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.pause = 0.0
        """Seconds of silence that are within this speaker's sentences, as far as is known."""

    def silence(self, seconds: float) -> float:
        """Return how long to wait where the profile says `seconds`."""
        return max(seconds, min(self.pause, self._limit))

    def right(self) -> None:
        """An endpoint was followed by another sentence."""
        self.pause *= _DECAY

    def early(self, pause: float) -> None:
        """An endpoint was followed by more of the same sentence, after `pause` seconds of silence."""
        # 50 ms more, for no two pauses are alike.
        self.pause = max(self.pause, min(pause + 0.05, self._limit))


def ending(text: str, language: str, *, marks: bool = True) -> Ending:
    """Tell how a text ends, as far as that says whether more will come.

    Args:
        text: the recogniser's, of the segment so far.
        language: ISO 639-1; for one without lists of words, marks alone are looked at.
        marks: the last mark is worth believing (`models.catalogue.Entry.guesses_marks`).
    """
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())
    if not words:
        return "unread"
    hanging, leaning = _words(language)
    last = words[-1].replace("’", "'")
    if last in hanging:
        return "hanging"
    if last in leaning or (marks and text.rstrip().endswith(_OPEN_MARKS)):
        return "open"
    return "lone" if len(words) == 1 else "complete"


def unmarked(text: str, language: str) -> str:
    """Return a text without the full stop behind a word that ends no sentence: the recogniser invented it."""
    return text.rstrip().removesuffix(".") if ending(text, language) == "hanging" else text


@cache
def _words(language: str) -> tuple[frozenset[str], frozenset[str]]:
    lists = tomllib.loads(resources.files(__package__).joinpath("endings.toml").read_text("utf-8"))
    found = lists.get(language, {})
    return frozenset(found.get("hanging", "").split()), frozenset(found.get("leaning", "").split())
