"""Edits by voice: "scratch that" is no text, it is done to the text that was typed.

The words of an edit are words as well ("I had to scratch that itch"), so they are an edit only where nobody would
dictate them: as a whole utterance, or at the end of one, set off by a mark that the engine wrote for a pause. There an
edit is first of all done to its own utterance, of which then nothing, or less, is typed. What it asks of the text that
was typed before is for the injector, who alone knows what stands (`actors.inject.edits`).

Refused: edits in mid-utterance. "Scratch that, we go on Monday" may be one, and "scratch that surface" begins alike; a
pause behind the words makes an utterance of them in any case.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from sottovoce.actors.tails import last_sentence, last_word
from sottovoce.actors.transform.casing import CLOSERS, OPENERS, Casing
from sottovoce.actors.transform.context import Context, Mode
from sottovoce.actors.transform.heard import MARKS, TERMINATORS
from sottovoce.actors.transform.outside import fitted
from sottovoce.actors.transform.rulebook import EditRule, Rules
from sottovoce.protocol.rows import Edit

_AROUND: Final = MARKS + OPENERS + CLOSERS
_PLUS = re.compile(r"[+\-]")
_FUNCTION_KEY = re.compile(r"f([1-9]|1[0-2])")
_MOST: Final = 9
"""Said more often in one utterance than this, it is an engine that repeats itself."""


class Spoken(NamedTuple):
    """What an utterance asks for."""

    text: str
    """What of it is text, to be transformed."""
    cut: Edit | None = None
    """To be done to that text before it is typed."""
    edit: Edit | None = None
    """To be done to what was typed; where there is text as well, after that was typed."""


class Edits:
    """The edits of a language.

    Args:
        rules: of the language, a user's over them.
        keys: whether keys are pressed; if not, "press enter" is words.
    """

    def __init__(self, rules: Rules, *, keys: bool = False) -> None:
        self._rules = rules
        self._by_words: dict[tuple[str, ...], EditRule] = {}
        self._press: list[tuple[tuple[str, ...], EditRule]] = []
        for rule in rules.edit:
            for phrase in rule.spoken:
                words = tuple(phrase.split())
                if rule.does != "press":
                    self._by_words[words] = rule
                elif keys:
                    self._press.append((words, rule))
        self._longest = max(map(len, self._by_words), default=0)
        self._last = {words[-1] for words in self._by_words}
        self._escapes = [tuple(phrase.split()) for phrase in rules.escape]
        self._reporting = {tuple(phrase.split()) for phrase in rules.reporting}

    def find(self, heard: str, mode: Mode = "dictation") -> Spoken:
        """Return what of an utterance is text and what is an edit; the same text where there is no edit in it.

        Pure, and takes any string. In verbatim all words are words.
        """
        chunks = heard.split()
        if mode == "verbatim" or not chunks:
            return Spoken(heard)
        said = _Said(chunks)
        if self._press and (pressed := self._keys(said)) is not None:
            at, edit = pressed
            return self._kept(said, at) or Spoken(said.text(at), edit=edit)
        return self._taken(said) or Spoken(heard)

    def _taken(self, said: _Said) -> Spoken | None:
        """Return what an utterance asks to be taken back, None if nothing."""
        if not said.words or said.words[-1] not in self._last:
            return None
        if (whole := self._whole(said)) is not None:
            return Spoken("", edit=whole)
        at, times, rule = len(said.words), 0, None
        while (found := self._at_end(said, at, rule)) is not None and times < _MOST:
            begins, rule = found
            at, times = begins, times + 1
            if (kept := self._kept(said, at)) is not None:
                return kept
        return None if rule is None else self._of_itself(said.text(at), Edit(does=rule.does, times=times))

    def _of_itself(self, text: str, edit: Edit) -> Spoken:
        """Return an utterance with an edit at its end, which is done to its own text first."""
        if edit.does not in {"scratch", "undo"}:
            return Spoken(text, cut=edit)
        if edit.times == 1:
            return Spoken(text, cut=Edit(does="scratch"))
        return Spoken("", edit=msgspec.structs.replace(edit, times=edit.times - 1))

    def _whole(self, said: _Said) -> Edit | None:
        """Return the edit that the whole utterance is, however often it is said."""
        count = len(said.words)
        for length in range(min(self._longest, count), 0, -1):
            rule = self._by_words.get(tuple(said.words[:length]))
            times, rest = divmod(count, length)
            if rule is None or rest or times > _MOST or said.words != said.words[:length] * times:
                continue
            if all(said.joined(at, at + length) for at in range(0, count, length)):
                return Edit(does=rule.does, times=1 if rule.does == "undo" else times)
        return None

    def _at_end(self, said: _Said, end: int, same: EditRule | None) -> tuple[int, EditRule] | None:
        """Return where the edit that ends before a word begins, and its rule; `same` is the one that has to be."""
        for length in range(min(self._longest, end), 0, -1):
            at = end - length
            rule = self._by_words.get(tuple(said.words[at:end]))
            if rule is None or (same is not None and rule is not same) or not said.joined(at, end):
                continue
            if at and (said.apart(at, rule) or self._escape_before(said, at)):
                return at, rule
        return None

    def _kept(self, said: _Said, at: int) -> Spoken | None:
        """Return the utterance as words if an escape is said before the edit that begins at a word."""
        escape = self._escape_before(said, at)
        if not escape:
            return None
        begins = at - escape
        if begins and not said.marks(begins) and tuple(said.words[begins:at]) in self._reporting:
            begins = at  # "What I like to say: undo that"; it may be an escape, and is sure to be a word
        return Spoken(f"{said.text(begins)} {said.text_from(at)}".strip())

    def _escape_before(self, said: _Said, at: int) -> int:
        """Return how many words before a place are an escape."""
        lengths = (len(escape) for escape in self._escapes if tuple(said.words[:at][-len(escape) :]) == escape)
        return max(lengths, default=0)

    def _keys(self, said: _Said) -> tuple[int, Edit] | None:
        """Return where "press control c" at the end of an utterance begins, and the edit."""
        for at in range(len(said.words)):
            for words, rule in self._press:
                after = at + len(words)
                if tuple(said.words[at:after]) != words or not said.joined(at, after):
                    continue
                keys = self._keysyms(said.words[after:])
                if keys and (at == 0 or said.apart(at, rule) or self._escape_before(said, at)):
                    return at, Edit(does="press", keys=keys)
        return None

    def _keysyms(self, words: list[str]) -> str:
        """Return modifiers and a key, joined by plus signs, "" if the words are something else."""
        words = [part for word in words for part in _PLUS.split(word) if part]  # engines: "Ctrl+C", "control-c"
        held: list[str] = []
        while words and words[0] in self._rules.modifiers:
            if len(words) == 1 and words[0] in self._rules.keys:
                break
            held.append(self._rules.modifiers[words.pop(0)])
        said = " ".join(words)
        key: str | None = self._rules.keys.get(said)
        if key is None and _FUNCTION_KEY.fullmatch(said.replace(" ", "")):
            key = said.replace(" ", "").upper()
        if key is None and set(held) - {"shift"}:
            letter = said if len(said) == 1 else self._rules.spelling.get(said, "")
            key = letter if len(letter) == 1 and letter.isascii() and letter.isalnum() else None
        return "" if key is None or len(set(held)) < len(held) else "+".join((*held, key))


class _Said:
    """An utterance as words without the marks around them; a chunk of marks alone belongs to the word before it."""

    def __init__(self, chunks: list[str]) -> None:
        self._chunks: list[str] = []
        self.words: list[str] = []
        for chunk in chunks:
            word = chunk.lower().strip(_AROUND)
            if word:
                self._chunks.append(chunk)
                self.words.append(word)
            elif self._chunks:
                self._chunks[-1] += " " + chunk
        split = [part for word in self.words for part in word.split("-")]
        if len(split) > len(self.words) and len(self.words) == 1:  # "scratch-that"
            self._chunks = [part for chunk in self._chunks for part in chunk.split("-")]
            self.words = split

    def marks(self, at: int) -> str:
        """Return the engine's marks before a word, those behind the word before it."""
        chunk = self._chunks[at - 1]
        return "".join(letter for letter in chunk[len(chunk.rstrip(_AROUND + " ")) :] if letter in MARKS)

    def apart(self, at: int, rule: EditRule) -> bool:
        """Whether a word is set off from the one before as the rule wants it."""
        if rule.only == "alone":
            return False
        return bool(self.marks(at) if rule.only == "marked" else TERMINATORS.intersection(self.marks(at)))

    def joined(self, at: int, end: int) -> bool:
        """Whether no sentence ends between the words of a range: an engine may write a comma there."""
        return all(not TERMINATORS.intersection(self.marks(inner)) for inner in range(at + 1, end))

    def text(self, end: int) -> str:
        """Return the words before one, as the engine wrote them."""
        return " ".join(self._chunks[:end])

    def text_from(self, at: int) -> str:
        """Return the words from one on, as the engine wrote them."""
        return " ".join(self._chunks[at:])


def cut_off(text: str, cut: Edit, rules: Rules) -> str:
    """Return what an edit leaves of the text of its own utterance."""
    for _ in range(cut.times):
        if cut.does == "word":
            gone = last_word(text)
        elif cut.does == "sentence":
            gone = last_sentence(text, frozenset(rules.abbreviations))
        else:
            gone = text
        text = text[: len(text) - len(gone)]
    return text if text.strip() else ""


def context_after(before: Context, stands: str, casing: Casing) -> Context:
    """Return the context behind a text that an edit has shortened, not empty; `before` is the one in front of it.

    What is open follows from neither, so it stays as it was in front: a quotation that was opened in what is left is
    closed with "close quote".
    """
    context = fitted(before, stands)
    if context.line or context.case == "start":
        return msgspec.structs.replace(context, spoken=False, pending="")
    return msgspec.structs.replace(context, case=casing.after(stands.rsplit(maxsplit=1)[-1]), spoken=False, pending="")


def pressed(context: Context, keys: str) -> Context:
    """Return the context behind a pressed key: after Return a line begins; else, who knows where the cursor is.

    So no space is put there, but behind End, where the text ends that was left.
    """
    unknown = msgspec.structs.replace(context, glue=True, case="free", mark="", spoken=False, line=False, pending="")
    if keys == "Return":
        return msgspec.structs.replace(unknown, case="start", line=True)
    return msgspec.structs.replace(unknown, glue=keys != "End")
