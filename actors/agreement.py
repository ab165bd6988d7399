"""LocalAgreement-2: which part of a draft will probably stay.

A hypothesis of growing audio changes at its end, where context is missing, and settles towards its beginning. The
longest common prefix of two successive hypotheses, in whole words, is taken for stable (Liu, Spanakis, Niehues, "Low-
Latency Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection", Interspeech 2020).
"""

from __future__ import annotations


def stable_prefix(before: str, now: str) -> int:
    """Return the length, in characters of `now`, of the prefix of whole words that `before` and `now` share."""
    length = 0
    words_before, words_now = before.split(" "), now.split(" ")
    for number, (old, new) in enumerate(zip(words_before, words_now, strict=False)):
        if old != new:
            break
        length += len(new) + (number > 0)
    return length
