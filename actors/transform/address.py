"""Mail and web addresses as they are said: "ada dot byron at example dot com", "www dot my dash site dot org"."""

from __future__ import annotations

from collections.abc import Container

from sottovoce.actors.transform.heard import Heard
from sottovoce.actors.transform.phrasebook import Entry
from sottovoce.actors.transform.phrases import Phrases
from sottovoce.actors.transform.rulebook import Rule

_PAUSES = frozenset({"", ","})
"""Marks of the engine with which an address may go on."""


class Address:
    """The addresses of one utterance.

    Args:
        heard: the utterance.
        phrases: of its mode.
        domains: what an address ends on.
    """

    __slots__ = ("_domains", "_heard", "_phrases")

    def __init__(self, heard: Heard, phrases: Phrases[Entry], domains: Container[str]) -> None:
        self._heard = heard
        self._phrases = phrases
        self._domains = domains

    def joined(self, rule: Rule, at: int, stop: int, *, behind: bool, inside: bool) -> bool:
        """Whether the mark that is said from `at` to `stop` joins two parts of an address.

        Args:
            rule: of the mark.
            at: the index of its first word; `stop` is the one after its last.
            stop: there is a word, no command.
            behind: the word before it stands directly behind a mark that joins.
            inside: that mark stands in an address.
        """
        heard = self._heard
        if not {heard.marks_of(at - 1), heard.marks_of(stop - 1)} <= _PAUSES:
            return False
        if rule.write == "@":
            begun = behind or rule.only != "address" or not heard.bare[at - 1].isalnum()  # ada.byron of an engine
            return begun and self._ends_behind(stop)
        if heard.bare[at - 1] == "www" or (behind and inside):
            return rule.only != "anywhere" or self._ends(at)
        if rule.write == "." and rule.only != "anywhere" and self._ends(at):  # docs dot example dot com
            return True
        while (mark := self._mark(stop + 1)) is not None:  # a name, as far as the sign behind it
            rule, stop = mark
            if rule.write == "@":
                return not rule.address or self._ends_behind(stop)
        return False

    def _ends_behind(self, at: int) -> bool:
        """Whether the word at `at` is a site as engines write it, example.com, or begins one that is said."""
        name, _, domain = self._heard.bare[at].rpartition(".") if at < len(self._heard.bare) else ("", "", "")
        return (name != "" and domain in self._domains) or self._ends(at + 1)

    def _ends(self, at: int) -> bool:
        """Whether the words from `at` are the end of one: "dot com", "hyphen example dot com"."""
        heard = self._heard
        while (mark := self._mark(at)) is not None and mark[1] < len(heard.bare):
            rule, stop = mark
            if heard.marks_of(stop - 1) not in _PAUSES:
                return False
            if rule.address and heard.bare[stop] in self._domains:
                return True
            at = stop + 1
        return False

    def _mark(self, at: int) -> tuple[Rule, int] | None:
        """Return the mark that may join two parts of an address at a word, and the index after it."""
        match = self._phrases.longest(self._heard, at)
        if match is not None and isinstance(match[0], Rule) and (match[0].address or match[0].attach == "both"):
            return match[0], match[1]
        rule = None if match is None else self._phrases.word(self._heard.bare[at])  # of "punto com"
        return (rule, at + 1) if isinstance(rule, Rule) and rule.address else None
