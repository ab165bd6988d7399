"""The transform: from the text of an engine to the text that is typed.

The problem. People say "comma" and "new line", and engines hand over anything from `hello comma world period` to
`Hello, comma, world. Period.`, since some write punctuation of their own around the pauses that people make beside a
command. All of these must become `Hello, world.`, while `the Victorian period was long` and `Mr. Quilter paid 3.5` must
pass unharmed.

The way. Split at white space; at each chunk look for the longest phrase in a trie, with the marks at the chunk's end
set aside; hand commands and words to a composer, which owns spaces and capitals and takes back the engine's marks
beside a command. Everything about the language is data (`rules/en.toml`).

Refused. *Regular expressions over the whole text*, the usual way: each rule then repairs what the one before left
behind (",." and ". ." and a space too many), and nobody can say what the order of forty of them does. *A model* that
restores punctuation: it cannot know a command from a word better than the engine that heard it, and it is slow. *Always
a command*, and *never one*, for words such as "period": the head of `rules/en.toml` says what is asked in which order.

Known limits. After "Hello." and a pause, "comma" gives "Hello.,". "A comma" with the
letter A reads as the noun, unless the engine heard a pause between the two. The engine's full stop after a command goes
even where it ended the sentence ("close quote." gives no full stop): that all engines come out alike is worth more.

Prior art: the dictation commands of Dragon and of Windows for words and spacing; voxtype's pull request 617 and
swictation's Secretary Mode for what engines that punctuate make of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Context
from sottovoce.actors.transform.exceptions import RulesError
from sottovoce.actors.transform.heard import MARKS, Heard
from sottovoce.actors.transform.phrases import Phrases
from sottovoce.actors.transform.rulebook import Rule, Rules, read, shipped

_Pair: TypeAlias = tuple[Rule, Rule]
"""A toggle: the rule that opens and the rule that closes."""
_ESCAPE: Final = "escape"
_PLAIN: Final = "plain"
_Entry: TypeAlias = Rule | _Pair | str


class Transformer:
    """The transform of one language. It holds nothing that changes, so one serves any number of threads."""

    def __init__(self, rules: Rules, *, name: str = "rules") -> None:
        """Take the rules; `name` stands for them in errors.

        RulesError: two commands are said alike, or a toggle names a rule that is not there.
        """
        self._casing = Casing(rules)
        self._determiners = frozenset(rules.determiners)
        self._phrases: Phrases[_Entry] = Phrases()
        by_phrase = {phrase: rule for rule in rules.rule for phrase in rule.spoken}
        entries: list[tuple[str, _Entry]] = [(phrase, rule) for rule in rules.rule for phrase in rule.spoken]
        for toggle in rules.toggle:
            missing = [phrase for phrase in (toggle.open, toggle.close) if phrase not in by_phrase]
            if missing:
                raise RulesError(f"{name}: toggle {toggle.spoken[0]!r}: no rule is said {missing[0]!r}; add that rule")
            pair = (by_phrase[toggle.open], by_phrase[toggle.close])
            if not pair[0].opens or pair[0].opens != pair[1].closes:
                raise RulesError(
                    f"{name}: toggle {toggle.spoken[0]!r}: `opens` of {toggle.open!r} and `closes` of "
                    f"{toggle.close!r} must be the same name"
                )
            entries += [(phrase, pair) for phrase in toggle.spoken]
        entries += [(phrase, _ESCAPE) for phrase in rules.escape]
        entries += [(phrase, _PLAIN) for phrase in rules.plain]
        for phrase, entry in entries:
            if self._phrases.add(phrase, entry) is not None:
                raise RulesError(f"{name}: {phrase!r} stands for two things; take one of them out")
            if " " in phrase and not isinstance(entry, str):
                self._phrases.add(phrase.replace(" ", "-"), entry)  # engines: "question-mark"

    @classmethod
    def load(cls, language: str = "en", *, commands: bool = True) -> Transformer:
        """Return the transform with the shipped rules of a language. RulesError: there are none.

        Without `commands` every word is a word, and only spaces and capitals are seen to.
        """
        path = shipped(language)
        rules = read(path)
        if not commands:
            rules = msgspec.structs.replace(rules, rule=(), toggle=(), escape=(), plain=())
        return cls(rules, name=str(path))

    @classmethod
    def from_file(cls, path: Path) -> Transformer:
        """Return the transform with the rules of a file. RulesError: names file, rule and reason."""
        return cls(read(path), name=str(path))

    def apply(self, text: str, context: Context) -> tuple[str, Context]:
        """Return exactly the characters to type for an utterance, and the context for the next one.

        A space that parts it from the utterance before is in front; there is none behind. Pure, and takes any string;
        a text without a word in it gives "" and the context as it was.
        """
        heard = Heard(text)
        if not heard.chunks:
            return "", context
        composer = Composer(self._casing, context)
        at = 0
        apart = True  # the start of an utterance sets a command off as another command before it does
        while at < len(heard.chunks):
            entry, stop = self._phrases.longest(heard, at) or (None, at + 1)
            if entry is _ESCAPE:
                at, stop = self._escaped(heard, at, stop)
            elif not isinstance(entry, str | None) and self._meant(entry, heard, at, stop, apart=apart):
                rule = entry if isinstance(entry, Rule) else entry[composer.has_open(entry[0].opens)]
                marks, at = heard.marks_from(stop)
                composer.command(rule, marks)
                apart = True
                continue
            for index in range(at, stop):
                composer.word(heard.chunks[index], heard.bare[index])
            at, apart = stop, False
        return composer.finish()

    def _meant(self, command: Rule | _Pair, heard: Heard, at: int, stop: int, *, apart: bool) -> bool:
        """Whether the words from `at` to `stop`, which a rule lists, are the command and not just words."""
        noun, only = (command.noun, command.only) if isinstance(command, Rule) else (True, "anywhere")
        if not apart:
            before = heard.words[at - 1]
            if noun and before in self._determiners:
                return False
            apart = before[-1] in MARKS
        if only == "anywhere":
            return True
        marks, after = heard.marks_from(stop)
        return apart and (marks != "" or after == len(heard.chunks) or self._command_at(heard, stop) is not None)

    def _escaped(self, heard: Heard, at: int, stop: int) -> tuple[int, int]:
        """Return the range of the words to write at an escape phrase: the command's after it, else its own first."""
        end = self._command_at(heard, stop) if heard.marks_of(stop - 1) in {"", ","} else None
        return (at, at + 1) if end is None else (stop, end)

    def _command_at(self, heard: Heard, at: int) -> int | None:
        """Return the index after the command phrase at a chunk, meant or not; None where there is none."""
        match = self._phrases.longest(heard, at)
        return None if match is None or isinstance(match[0], str) else match[1]
