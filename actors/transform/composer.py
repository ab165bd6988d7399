"""Putting words and marks together: spaces, capitals, and the engine's punctuation around a spoken command."""

from __future__ import annotations

from typing import Final, cast

from sottovoce.actors.transform.casing import CLOSERS, OPENERS, Casing
from sottovoce.actors.transform.context import Caps, Case, Context, Style
from sottovoce.actors.transform.heard import MARKS, TERMINATORS
from sottovoce.actors.transform.identifier import SEPARATORS, lengthened
from sottovoce.actors.transform.rulebook import Does, Rule

_IN_ADDRESS: Final = frozenset({"@", "://", "."})
"""Marks that no space parts from the words beside them in a mail or web address alone, outside of code."""
_SITES: Final = frozenset({"www", "http", "https"})
_AROUND = OPENERS + CLOSERS + MARKS  # MARKS as well: "?»" is no word


class Composer:
    """One utterance as it is being written. Words and commands are added in their order; `finish` gives the result."""

    __slots__ = (
        "_caps", "_case", "_casing", "_code", "_context", "_cut", "_doubled", "_fresh", "_glue", "_line",
        "_mark", "_named_on", "_open", "_opened", "_paused", "_pending", "_phrase", "_pieces", "_raised", "_spoken",
        "_styled", "_typography", "_waiting", "_words_last",
    )  # fmt: skip

    def __init__(self, casing: Casing, context: Context) -> None:
        self._context = context
        self._casing = casing
        self._typography = casing.typography
        self._glue = context.glue
        self._case: Case = context.case
        self._mark = context.mark
        self._spoken = context.spoken
        self._open = context.open
        self._line = context.line
        self._code = context.mode == "code"  # where no word is the first of a sentence
        self._caps: Caps = context.caps
        self._pending: Style = context.pending
        self._phrase: Style = ""  # of the phrase that is being written
        # Asked once a word, where else each of the three would be.
        self._styled = bool(context.caps or context.pending or self._code)
        self._pieces: list[str] = []
        self._waiting: list[str] = []  # words that a subclass has not written yet
        self._raised = -1  # the piece with the last word that got its capital from the start of a sentence
        # The next word's capital may be there only because the engine took it for the start of a sentence.
        self._fresh = True
        self._named_on = False  # the word after that has a capital too, so both may be a name
        self._cut = False  # the engine ended a sentence at the opening mark, so it will do so at the closing one
        self._words_last = False  # the last piece is the engine's, so its marks may still be taken back
        self._opened = ""  # the opening mark that was said last, while no word stands behind it
        self._doubled = False  # the engine wrote that mark as well, so it will write the closing one
        self._paused = False  # the engine wrote a pause after a casing command, so it will after its word

    def words(self, chunks: list[str]) -> None:
        """Add words between which there is no command, in less time than one by one."""
        self._compose(chunks)

    def _compose(self, chunks: list[str]) -> None:
        if self._fresh and len(chunks) > 1:
            following = chunks[1].lower().rstrip(MARKS)
            self._named_on = chunks[1][:1].isupper() and following not in self._casing.capitals
        at = 0
        marked = [
            at for at, chunk in enumerate(chunks)
            if not (chunk.isalnum() or (chunk[-1:].isalnum() and chunk[:1].isalnum()))
        ]  # fmt: skip
        for stop in marked:
            if at < stop:
                self._between(chunks, at, stop)
            chunk = chunks[stop]
            Composer.word(self, chunk, chunk.lower().rstrip(MARKS))
            at = stop + 1
        if at < len(chunks):
            self._between(chunks, at, len(chunks))

    def _between(self, chunks: list[str], at: int, stop: int) -> None:
        """Add words with no mark at either end: inside a sentence nothing becomes of them but `capitals`."""
        while self._case != "inside" or self._fresh or self._glue or self._styled or self._paused:
            chunk = chunks[at]
            Composer.word(self, chunk, chunk.lower())  # whatever a subclass does first is done
            at += 1
            if at == stop:
                return
        words, capitals = chunks[at:stop], self._casing.capitals
        if not capitals.keys().isdisjoint(words):
            words = [capitals.get(word, word) for word in words]
        last = words.pop()  # a piece of its own, since a command may do something to it
        self._pieces += (" " + " ".join(words), " " + last) if words else (" " + last,)
        self._mark = ""
        self._spoken = self._line = False
        self._words_last = True

    def word(self, chunk: str, bare: str) -> None:
        """Add what the engine wrote between two spaces; `bare` is it in lower case without the marks at its end."""
        if self._opened or self._paused:
            chunk = self._unmarked(chunk)
        core = bare.strip(_AROUND)
        if self._code:
            chunk = self._uncut(chunk, core)
        if not chunk or (self._styled and core and self._named(chunk)):
            return
        written = self._in_style(chunk, core) if self._styled and core else self._in_place(chunk, core)
        if core:
            self._pieces.append(written if self._glue else " " + written)
            self._glue = False
        else:
            self._lone(chunk, written)
        last = chunk[-1]
        self._mark = last if last in MARKS else ""
        self._spoken = False
        if core or self._mark in TERMINATORS:  # a lone dash or quotation mark decides nothing about what follows
            self._case = "inside" if last.isalnum() else self._casing.after(chunk)
            self._fresh = False
        self._words_last = True
        self._line = False

    def _write(self) -> None:
        """Write the words that wait. Here none does."""

    def unpause(self) -> None:
        """Take back what the engine wrote for a pause after the last word."""
        self._write()
        self._take_back(".?!…:;")

    def spell(self, characters: str) -> None:
        """Add what was spelled: it stands at what was spelled before, and capitals are only those asked for."""
        self._write()
        if self._pending in {"upper", "capital"} or (self._pending in {"", "title"} and self._caps == "upper"):
            characters = characters.upper()
        self._end_phrase(pending=True)
        # In a mode of its own, so what it glues to is spelled as well, but for the first of all.
        self._pieces.append(characters if self._glue else " " + characters)
        self._note(characters, spoken=True)
        self._glue, self._case = True, "inside"
        self._words_last = self._line = self._fresh = False

    def style(self, does: Does, trail: str) -> None:
        """Add a casing command, which writes nothing; `trail` is what the engine put after its words."""
        self._write()
        dropped = self._take_back(".?!…:;") + trail
        self._paused = trail == "," and does.endswith((" word", " letter"))
        self._fresh = self._fresh or not TERMINATORS.isdisjoint(dropped)
        self._words_last = False
        what, _, span = does.partition(" ")
        self._end_phrase()
        if span == "letter":
            self._pending = "capital"
        elif span == "on":
            self._caps = cast(Caps, what)
            self._pending = "capital" if what == "title" else ""  # a title's first word is never small
        elif span == "off":
            self._caps = ""
            self._pending = ""
        elif span in {"word", "phrase"}:
            self._pending = "" if what == "end" else cast(Style, what)
        self._styled = bool(self._caps or self._pending or self._code)

    def command(self, rule: Rule, trail: str, *, last: bool = True) -> None:
        """Add a command; `trail` is what the engine put after its words, which are the `last` ones or not."""
        if self._waiting:
            self._write()
        if self._phrase:
            self._end_phrase()
        if self._raised >= 0 and rule.attach == "both" and rule.write in _IN_ADDRESS:
            self._lower_address(whole=rule.write != ".")
        opening = rule.attach == "right" and (rule.opens != "" or rule.write in self._typography.opening)
        closing = rule.attach == "left" and rule.case == "same"
        within = self._words_last and not self._cut and self._mark not in TERMINATORS
        dropped = trail
        if self._mark and self._words_last:
            dropped = self._take_back(rule.keeps.replace(".", "") if closing and self._cut else rule.keeps) + trail
        if opening or closing:  # an aside of its own keeps its full stop: "He left. (So did I.)"
            aside = self._case == "start" and bool(self._pieces)
            self._cut = opening and not aside and not TERMINATORS.isdisjoint(trail)
        shortened = rule.write == "." and self._words_last and self._casing.abbreviated(self._pieces[-1].lstrip())
        self._fresh = not TERMINATORS.isdisjoint(dropped)
        ended, line = self._mark, self._line
        if closing and self._case == "start" and self._mark in {"?", "!"}:
            self._case = "free"  # "Really?" he asked.
        self._mark_for(rule, closing=closing)
        self._opened, self._paused = (rule.write if rule.attach == "right" else ""), False
        self._glue = rule.attach in {"right", "both"}
        if rule.goes_on and (ended in rule.goes_on if ended else line and self._case == "inside"):
            self._case = "inside"
        elif rule.case != "same":
            self._case = "free" if shortened else rule.case
        elif self._case == "inside" and not (opening or closing or TERMINATORS.isdisjoint(trail)):
            self._case = "free"
        if rule.opens and rule.opens not in self._open:
            self._open += (rule.opens,)
        elif rule.closes:
            self._open = tuple(name for name in self._open if name != rule.closes)
        self._words_last = False
        if trail and not TERMINATORS.isdisjoint(trail) and not self._code:
            self._end_sentence(rule, trail, within=within, last=last)

    def _mark_for(self, rule: Rule, *, closing: bool) -> None:
        """Write the mark of a command, unless the engine wrote it already."""
        last = self._pieces[-1] if self._words_last else ""
        if closing and self._doubled and last.endswith(rule.write):
            self._doubled = False
        elif last and last[-1] in CLOSERS and rule.write in MARKS and last.rstrip(CLOSERS).endswith(rule.write):
            self._spoken = True  # the engine put it inside its quotation marks
        elif self._spoken or rule.write != self._mark:  # else it serves: "in the U.S." and a spoken period
            self._pieces.append(self._beside(rule))
            mark = rule.write[-1:]
            self._mark = mark if mark in MARKS else ""
            # "et cetera period": the period of the abbreviation serves for the full stop.
            self._spoken = mark != "." or not rule.write[-2:-1].isalpha()
            self._line = mark == "\n"
        else:
            self._spoken = True

    def _end_sentence(self, rule: Rule, trail: str, *, within: bool, last: bool) -> None:
        """End the sentence behind a command as the engine did, if the command is a word of it or closes `within` it."""
        closes = rule.closes or rule.write in self._typography.closing
        if not (within if closes else _is_word(rule)):
            return
        if last and not any(piece[:1] == " " for piece in self._pieces[1:]):  # an address by itself is no sentence
            self._case = "free"
            return
        mark = "".join(mark for mark in trail if mark in TERMINATORS)
        if mark != "." or self._pieces[-1][-1:] != ".":  # that of an abbreviation serves
            self._pieces[-1] += self._typography.before(mark[0]) + mark
        self._note(mark, spoken=False)
        self._case = "start" if len(mark) == 1 and mark != "…" else "free"
        self._words_last = True

    def has_open(self, pair: str) -> bool:
        """Whether the pair of this name was opened and not yet closed."""
        return pair in self._open

    @property
    def begins_line(self) -> bool:
        """Whether what comes next begins a line."""
        return self._line and not self._waiting

    @property
    def begun_line(self) -> bool:
        """Whether what comes next begins a line that was asked for."""
        return self._line and self._spoken and not self._waiting

    @property
    def opens_bracket(self) -> bool:
        """Whether what was written last in this utterance is an opening bracket."""
        return bool(self._pieces) and not self._waiting and self._pieces[-1][-1:] in self._typography.opening

    def finish(self) -> tuple[str, Context]:
        """Return the characters to type and what to remember of them."""
        self._write()
        return "".join(self._pieces), Context(
            glue=self._glue, case=self._case, mark=self._mark, spoken=self._spoken, open=self._open, line=self._line,
            caps=self._caps, pending=self._pending, mode=self._context.mode,
        )  # fmt: skip

    def _beside(self, rule: Rule) -> str:
        """Return what a command writes, with the spaces that stand beside it."""
        write = rule.write
        if self._case == "start" and write[:1].isalpha() and not self._code:
            write = self._casing.raised(write)  # "Etc. etc."
        elif self._caps == "upper" and not self._code:
            write = write.upper()
        lead = "" if self._glue else " " if rule.attach in {"right", "none"} else ""
        if self._code and rule.calls and self._behind_name():
            lead = ""
        if self._typography.spaces and write and not self._code:
            if not self._glue and rule.attach == "left":
                lead = self._typography.before(write[0], behind=self._mark)
            elif rule.attach == "right":
                write += self._typography.after(write[-1])
        return lead + write

    def _behind_name(self) -> bool:
        """Whether what was written last, in code, can be called or indexed: a name, or a closing bracket."""
        last = self._pieces[-1] if self._pieces else ""
        if last[-1:] in {")", "]"}:
            return True
        whole = last[:1] == " " or len(self._pieces) == 1  # and no part of is_in
        name = last.lstrip()
        return (name[-1:].isalnum() or name[-1:] == "_") and not (whole and name.lower() in self._casing.keywords)

    def _lower_address(self, *, whole: bool) -> None:
        """Take back the capital of an address that is being written, if it came from the start of a sentence.

        Before its end is there, and it is not `whole`, only that of "www" and the like. A name with capitals keeps all.
        """
        if self._raised >= len(self._pieces):  # it was nothing but marks, and went
            return
        first, *rest = self._pieces[self._raised :]
        word = first.lstrip()
        if not whole and word.lower() not in _SITES:
            return
        same = (len(word) == 1 or word[1:].islower()) and all(piece == piece.lower() for piece in rest)
        if same and not any(piece[:1].isspace() for piece in rest):
            self._pieces[self._raised] = first.lower()
        self._raised = -1

    def _lone(self, chunk: str, written: str) -> None:
        """Add marks that the engine wrote apart from any word."""
        opens = chunk[-1] in self._typography.opening  # then it stands before a word, whatever else is in it
        lead = "" if self._glue else " " if opens else self._typography.parted(chunk[0])
        self._pieces.append(lead + written)
        self._glue = opens
        if self._glue and not self._code:
            self._pieces[-1] += self._typography.after(chunk[-1])
        elif self._case == "start" and chunk[-1] in self._typography.closing:
            self._case = "free"  # « Vraiment ? » dit-il.

    def _unmarked(self, chunk: str) -> str:
        """Return the first word behind an opening mark or a casing command without what the engine made of that."""
        if self._paused:
            chunk = chunk.removesuffix(",")
        if self._opened and chunk.startswith(self._opened):
            chunk = chunk[len(self._opened) :]
            self._doubled = True
        self._opened, self._paused = "", False
        return chunk

    def _uncut(self, chunk: str, core: str) -> str:
        """Return a word in code without what an engine makes of prose: the end of a sentence, and X for x."""
        if len(core) == 1 and not (self._pending or self._phrase or self._caps):
            chunk = chunk.lower()
        kept = chunk.rstrip(".?!…")
        return kept if core and (kept[-1].isalnum() or kept[-1] in CLOSERS) else chunk

    def _in_place(self, chunk: str, core: str) -> str:
        """Return a word with the capital that its place gives it, and with the spaces that its marks have."""
        written = self._casing.listed(chunk, core)
        if self._case == "start":
            self._raised = len(self._pieces)
            written = self._casing.raised(written)
        elif self._fresh and self._case == "inside":
            joined = self._glue and self._mark == "" and self._pieces and self._pieces[-1][-1:] in {"@", "_"}
            written = written.lower() if joined else self._casing.lowered(written, named=self._named_on)
        return self._spaced(written)

    def _spaced(self, written: str) -> str:
        return self._typography.spaced(written) if self._typography.spaces and not self._code else written

    def _in_style(self, chunk: str, core: str) -> str:
        """Return a word with the capitals that were asked for."""
        style = self._pending or self._phrase or self._caps
        first = bool(self._pending)
        if style == "title" and first:
            self._phrase = "title"
        self._pending = ""
        if not style:
            # The capital that an engine gives the first word of all is not one of the name's.
            written = chunk.lower() if self._fresh and chunk[1:].islower() else chunk
        elif style == "upper":
            written = chunk.upper()
        elif style == "lower":
            written = chunk.lower()
        else:
            written = self._casing.listed(chunk, core)
            if style == "title" and not first and self._case != "start" and self._casing.small(core):
                written = chunk.lower()
            else:
                written = self._casing.raised(written)
        if self._phrase and chunk[-1] in MARKS:
            self._phrase = ""
        self._styled = bool(self._caps or self._phrase or self._code)
        return self._spaced(written)

    def _named(self, chunk: str) -> bool:
        """Add a word of a name in camel, snake or another such case; an engine's mark at its end ends the name.

        Returns:
            Whether it is one: no name was asked for, or an engine's "&" is no part of it.
        """
        style = self._phrase or self._pending
        if style not in SEPARATORS:
            return False
        kept = chunk.rstrip(MARKS)
        begun = bool(self._phrase)
        text = lengthened(style, kept, begun=begun)
        if not text:
            self._end_phrase(pending=True)
            return False
        text += chunk[len(kept) :]
        if begun:
            self._pieces[-1] += text
        else:
            self._pieces.append(text if self._glue else " " + text)
        self._pending = ""
        self._phrase = style if kept == chunk else ""
        self._styled = bool(self._caps or self._phrase or self._code)
        self._glue = self._line = self._fresh = False
        self._words_last = True
        self._note(chunk, spoken=False)
        self._case = self._casing.after(chunk)
        return True

    def _end_phrase(self, *, pending: bool = False) -> None:
        self._phrase = ""
        if pending:
            self._pending = ""
        self._styled = bool(self._caps or self._pending or self._code)

    def _take_back(self, keeps: str) -> str:
        """Remove the engine's marks at the end of what was added last, but those in `keeps`; return what went."""
        if not self._words_last:
            return ""
        piece = self._pieces[-1]
        if piece[-1] not in MARKS:  # mostly
            return ""
        end = len(piece)
        while end and piece[end - 1] in MARKS and piece[end - 1] not in keeps:
            end -= 1
        if piece[end : end + 1] == "." and self._casing.keeps_period(piece[:end].strip()):
            end += 1
        dropped = piece[end:]
        if dropped:
            kept = piece[:end].rstrip()
            if kept:
                self._pieces[-1] = kept
                self._case = self._casing.after(kept)
            else:
                self._pieces.pop()
                self._words_last = False  # what is last now may be a command's, or there is nothing
            self._note(kept, spoken=False)
        return dropped

    def _note(self, text: str, *, spoken: bool) -> None:
        mark = text[-1:]
        self._mark = mark if mark in MARKS else ""
        self._spoken = spoken


def _is_word(rule: Rule) -> bool:
    """Whether what a command writes belongs to a word, or is one: 's, .com, %, etc."""
    last = rule.write[-1:]
    return last.isalnum() or rule.write[-2:-1].isalpha() or (rule.attach == "left" and last not in MARKS)
