"""The guard: text that a recogniser invented is not typed.

Small models answer noise with fluent sentences, often one sentence over and over. What no person said in the time that
the segment lasted is refused here; the journal keeps it with the reason. The speech ratio needs no test of its own: a
segment exists only where the VAD heard speech.
"""

from __future__ import annotations

import re
from collections import Counter

MAX_CHARACTERS_PER_SECOND = 32.0
"""Fast conversational English is about 6 syllables, some 20 characters a second; 32 leaves room for fast readers."""
_REPEATS = 5
_WORDS = re.compile(r"\w[\w'’]*")  # without the hyphen: the model answers noise with "2020-2020-2020-..."


def refuse(text: str, seconds: float) -> str | None:
    """Return why `text` cannot have been said in `seconds`, or None.

    Args:
        text: the recogniser's text, not empty.
        seconds: the segment's length.
    """
    if len(text) / max(seconds, 0.25) > MAX_CHARACTERS_PER_SECOND:
        return f"more text than can be said in {seconds:.1f} s"
    words = [word.lower() for word in _WORDS.findall(text)]
    if not words:
        return "no words"
    # "very very very good" and a million's six zeros (four overlapping phrases) are a person. A phrase of three words
    # five times is a decoder in a loop, which goes on to its limit of tokens; hum of one second gave seven times "Oh".
    trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
    if trigrams and max(trigrams.values()) >= _REPEATS and 3 * max(trigrams.values()) > len(words) / 2:
        return "the same phrase over and over"
    return None
