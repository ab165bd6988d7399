"""Marks that stand inside a number and not between two: the comma of "3 Komma 5", the colon of "10 colon 30"."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sottovoce.actors.transform.heard import Heard
from sottovoce.actors.transform.rulebook import Rules

Reading: TypeAlias = Literal["mark", "joint", "word"]
"""What a mark said between two numbers is: a mark like any other; one without spaces, inside a number; or a word, as in
"drei Komma fünf", where the numbers are words as well."""

_CLOCK: Final = ":"


class Figures:
    """How a language writes decimals and times."""

    def __init__(self, rules: Rules) -> None:
        self.marks = frozenset(filter(None, (_CLOCK, rules.decimal)))
        """Those that may stand inside a number."""
        self._numerals = frozenset(rules.numerals)
        self._said = frozenset(phrase for rule in rules.rule if rule.write == rules.decimal for phrase in rule.spoken)

    def read(self, heard: Heard, mark: str, at: int, stop: int) -> Reading:
        """Return what the mark is that the words from `at` to `stop` say.

        With a pause on either side, or where it is said again after the next number ("1 Komma 2 Komma 3"), it parts.
        """
        if not 0 < at < stop < len(heard.bare) or heard.marks_of(at - 1) or heard.marks_of(stop - 1):
            return "mark"
        left, right = heard.bare[at - 1], heard.bare[stop]
        if mark == _CLOCK:
            return "joint" if _is_clock(left, right) or _is_port(left, right) else "mark"
        if self._said.intersection(heard.bare[stop + 1 : stop + 2]) or (at > 1 and heard.bare[at - 2] in self._said):
            return "mark"
        if left.isdecimal() and right.isdecimal():
            return "joint"
        return "word" if left in self._numerals and right in self._numerals else "mark"


def _is_port(host: str, port: str) -> bool:
    """Whether these are the two sides of "localhost:8080" or "127.0.0.1:80"."""
    address = host.count(".") == 3 and host.replace(".", "").isdecimal()
    return port.isdecimal() and (address or host == "localhost")


def _is_clock(hour: str, minute: str) -> bool:
    figures = hour.isdecimal() and minute.isdecimal() and len(hour) < 3 and len(minute) == 2
    return figures and int(hour) < 25 and int(minute) < 60
