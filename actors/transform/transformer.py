"""The transform: from the text of an engine to the text that is typed.

The problem. People say "comma" and "new line", and engines hand over anything from `hello comma world period` to
`Hello, comma, world. Period.`, since some write punctuation of their own around the pauses that people make beside a
command. All of these must become `Hello, world.`, while `the Victorian period was long` and `Mr. Quilter paid 3.5` must
pass unharmed.

The way. Split at white space; at each chunk look for the longest phrase in a trie, with the marks at the chunk's end
set aside; hand commands and words to a composer, which owns spaces and capitals and takes back the engine's marks
beside a command. Everything about the language is data (`rules/en.toml`), and each mode has a trie of its own, so that
a mode costs nothing while it is not used.

Refused. *Regular expressions over the whole text*, the usual way: each rule then repairs what the one before left
behind (",." and ". ." and a space too many), and nobody can say what the order of forty of them does. *A model* that
restores punctuation: it cannot know a command from a word better than the engine that heard it, and it is slow. *Always
a command*, and *never one*, for words such as "period": the head of `rules/en.toml` says what is asked in which order.

Known limits. After "Hello." and a pause, "comma" gives "Hello.,", unless the window lets the full stop be taken back
(`stage`). "A comma" with the letter A reads as the noun, unless a pause, a bracket, an operator or another letter is
beside it ("a comma b"). The engine's full stop goes after a command that is a mark, and ends the sentence after one
that is a word of it or closes something ("at example dot com.", "close quote."), unless that is all that was said. No
line that was asked for begins with a comma, a period or the like. Decimals of other languages than English stay the
words that they were said in ("drei Komma fünf").

Prior art: the dictation commands of Dragon and of Windows for words and spacing; voxtype's pull request 617 and
swictation's Secretary Mode for what engines that punctuate make of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from sottovoce.actors.transform.alphabet import Alphabet
from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Context, Mode
from sottovoce.actors.transform.correcting import Correcting
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.actors.transform.figures import Figures
from sottovoce.actors.transform.formula import Formula
from sottovoce.actors.transform.heard import Heard
from sottovoce.actors.transform.merge import merged
from sottovoce.actors.transform.numbers import Beside
from sottovoce.actors.transform.numbers import Mode as Numbers
from sottovoce.actors.transform.phrasebook import Phrasebook
from sottovoce.actors.transform.reading import Grammar, Reading
from sottovoce.actors.transform.rulebook import Rules, read, shipped
from sottovoce.actors.transform.steps import Step, numbered

_OPERATOR: Final = re.compile(r"[^\w\s\"'`“”‘’«»#]+")
_NUMBERED: Final = frozenset[Mode]({"dictation", "code"})
"""Modes in which spoken numbers become digits."""


class Transformer:
    """The transform of one language. It holds nothing that changes, so one serves any number of threads."""

    def __init__(self, rules: Rules, *, name: str = "rules") -> None:
        """Take the rules; `name` stands for them in errors.

        RulesError: two commands are said alike in one mode, or a toggle names a rule that is not there.
        """
        self.rules = rules
        self._alphabet = Alphabet(rules)
        self._casing = Casing(rules)
        self._grammar = Grammar(
            determiners=frozenset(rules.determiners), possessives=frozenset(rules.possessives),
            articles=frozenset(rules.articles), owners=frozenset(rules.owners),
            before_nouns=frozenset((*rules.determiners, *rules.adjectives, *rules.owners)),
            verbs=frozenset(rules.verbs), being=frozenset(rules.being), asked=frozenset(rules.asked),
            ordinary=self._casing.ordinary_words, not_behind=rules.not_behind,
            domains=frozenset(rules.domains), noun_capitals=rules.noun_capitals,
            formula=Formula(rules), figures=Figures(rules),
        )  # fmt: skip
        self._code_grammar = self._grammar._replace(determiners=(), before_nouns=())  # there "a" is a name
        self._beside = _operators(rules)
        self._phrasebook = Phrasebook(rules, name)

    @classmethod
    def load(cls, language: str = "en", *, commands: bool = True, own: Path | None = None) -> Transformer:
        """Return the transform with the shipped rules of a language, and a user's `own` over them if that file exists.

        Without `commands` every word is a word, and only spaces and capitals are seen to.

        RulesError: there are none, or the user's are wrong.
        """
        path = shipped(language)
        rules = read(path)
        if own is not None and own.exists():
            rules, path = merged(rules, read(own)), own
        if not commands:
            rules = msgspec.structs.replace(rules, rule=(), toggle=(), escape=(), plain=(), case=(), mode=())
        return cls(rules, name=str(path))

    @classmethod
    def from_file(cls, path: Path) -> Transformer:
        """Return the transform with the rules of a file. RulesError: names file, line, rule and reason."""
        return cls(read(path), name=str(path))

    def apply(
        self,
        text: str,
        context: Context,
        *,
        numbers: Numbers = "off",
        corrections: Corrections | None = None,
        fired: list[Fired] | None = None,
        steps: list[Step] | None = None,
    ) -> tuple[str, Context]:
        """Return exactly the characters to type for an utterance, and the context for the next one.

        A space that parts it from the utterance before is in front; there is none behind. Pure, and takes any string;
        a text without a word in it gives "" and the context as it was. One that only switches, or asks for capitals,
        gives "" and another context.

        `fired` is given what was corrected, `steps` what was decided on the way.
        """
        beside = self._beside if context.mode == "code" else None
        heard = Heard(text, numbers if context.mode in _NUMBERED else "off", beside)
        if steps is not None:
            steps += numbered(Heard(text).chunks, heard.chunks)
        if context.mode == "spelling":
            heard = self._letters(heard, steps)
        if not heard.chunks:
            return "", context
        switches = self._phrasebook.switches
        switch = switches.longest(heard, 0) if heard.bare[0] in switches.starts else None
        if switch is not None and heard.marks_from(switch[1])[1] == len(heard.chunks):
            if steps is not None:
                steps.append(Step("mode", text.strip(), switch[0]))
            return "", context.switched(switch[0])
        if corrections is None:
            composer = Composer(self._casing, context)
        else:
            composer = Correcting(self._casing, context, corrections, [] if fired is None else fired, steps)
        grammar = self._code_grammar if context.mode == "code" else self._grammar
        phrases = self._phrasebook.modes[context.mode]
        Reading(heard, phrases, grammar, composer, mode=context.mode, steps=steps).read()
        return composer.finish()

    def _letters(self, heard: Heard, steps: list[Step] | None) -> Heard:
        """Return what was spelled without the words that letters were likened to."""
        chunks = self._alphabet.parted(heard.chunks)
        if len(chunks) > len(heard.chunks):
            heard = Heard(" ".join(chunks))
        for span in reversed(self._alphabet.likened(chunks)):
            del chunks[span.start : span.stop]
            if steps is not None:
                steps.insert(0, Step("dropped", heard.said(span.start, span.stop), "tells which letter is meant"))
        return Heard(" ".join(chunks)) if len(chunks) < len(heard.chunks) else heard

    def explain(
        self,
        text: str,
        context: Context,
        *,
        numbers: Numbers = "off",
        corrections: Corrections | None = None,
        fired: list[Fired] | None = None,
    ) -> tuple[str, Context, list[Step]]:
        """Return what `apply` returns, and what was decided on the way to it."""
        steps: list[Step] = []
        page, after = self.apply(text, context, numbers=numbers, corrections=corrections, fired=fired, steps=steps)
        return page, after, steps


def _operators(rules: Rules) -> Beside:
    """Return the words that the commands for operators, brackets and the like end and begin with in the mode `code`.

    Not those of quotation marks and comments, where what follows is prose.
    """
    phrases = [
        phrase.split() for rule in rules.rule if "code" in rule.mode and _OPERATOR.fullmatch(rule.write)
        for phrase in rule.spoken
    ]  # fmt: skip
    return Beside(
        before=frozenset(rules.numbered).union(phrase[-1] for phrase in phrases) - {"point"},
        after=frozenset(phrase[0] for phrase in phrases),
    )
