"""Confidence: how sure it is that a hypothesis is what was said, in three classes.

Few engines tell, and those that do are not alike, so two things are looked at and the lower one counts: the mean
probability of a token, where the engine gives one, and whether another hypothesis of the same speech has the same words
(that of less audio for a draft, the last draft for a final). Two hypotheses that agree are right more often than a
probability is honest; it is what LocalAgreement rests on (`actors.agreement`).
"""

from __future__ import annotations

import math
import re

from sottovoce.protocol.messages import Confidence

_CLASSES: tuple[Confidence, ...] = ("low", "medium", "high")
_PROBABILITIES = (0.6, 0.85)
_AGREEMENTS = (0.5, 0.9)
"""Below the first is low, from the second on high. Our own choice: the embedded model gives no probabilities."""


def confidence(text: str, other: str | None, log_prob: float | None) -> Confidence:
    """Return the class of a hypothesis.

    Args:
        text: the hypothesis.
        other: another one of the same speech, None or "" where there is none.
        log_prob: mean natural log-probability of a token, None where the engine gives none.
    """
    classes = []
    if log_prob is not None:
        classes.append(_class(math.exp(min(0.0, log_prob)), _PROBABILITIES))
    if other:
        classes.append(_class(agreement(text, other), _AGREEMENTS))
    return _CLASSES[min(classes, default=0)]


def agreement(one: str, other: str) -> float:
    """Return the share of words, in order and without marks or case, that the longer of two texts has of the other."""
    mine, theirs = _words(one), _words(other)
    longest = max(len(mine), len(theirs))
    return _common(mine, theirs) / longest if longest else 0.0


def _common(one: list[str], other: list[str]) -> int:
    """Return the length of the longest common subsequence (Wagner and Fischer, 1974)."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = row
        row = [0]
        for at, theirs in enumerate(other, 1):
            row.append(before[at - 1] + 1 if word == theirs else max(before[at], row[at - 1]))
    return row[-1]


def _class(value: float, bounds: tuple[float, float]) -> int:
    return sum(value >= bound for bound in bounds)


def _words(text: str) -> list[str]:
    return [plain for word in text.lower().split() if (plain := re.sub(r"\W", "", word))]
