"""The rules of a language: what its file may hold, and how it is read and judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from sottovoce.actors.transform.context import Case, Mode
from sottovoce.actors.transform.exceptions import RulesError
from sottovoce.actors.transform.heard import MARKS
from sottovoce.protocol.wrong import explained

Phrase: TypeAlias = str
"""Lower-case words parted by single spaces. All but the last may carry an engine's comma ("dot, dot, dot")."""

SHIPPED = Path(__file__).parent / "rules"


Only: TypeAlias = Literal["anywhere", "alone", "line", "formula", "address"]
"""Where a command's words are the command and not just words. `alone`: where pauses, commands or the ends of the
utterance stand on both sides. `line`: where a line begins. `formula`: between operands, such as x, n or 3; an operator
that attaches to the right, after an opening bracket. `address`: nowhere but as `Rule.address` says, and for "@" behind
a name with a mark in it ("ada dot byron at")."""

Does: TypeAlias = Literal[
    "upper on", "upper off", "title on", "title off", "lower on", "lower off", "upper word", "lower word",
    "capital letter", "camel phrase", "pascal phrase", "snake phrase", "kebab phrase", "constant phrase",
    "title phrase", "end phrase",
]  # fmt: skip
"""What a casing command does: `on` until `off`, to one `word`, or to the `phrase` that follows, which ends with the
utterance, at the next command, at a mark of the engine's, or at "end phrase". `capital letter` writes the letter that
is said next as a capital; where the word after that begins with the letter, it writes that word with one instead."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command: what is said, what is written, and what that does to its neighbours."""

    spoken: tuple[Phrase, ...]
    """Every way of saying it. A phrase of several words is also found where the engine joined them by hyphens."""
    write: str
    attach: Literal["left", "right", "both", "none"]
    """On which sides there is no space."""
    case: Case | Literal["same"] = "inside"
    """What the next word is; `same` leaves that as it was."""
    only: Only = "anywhere"
    keeps: str = ""
    """The engine's marks just before the command that stay. All others there, and all after it, were only its rendering
    of the pauses around a spoken command, and go; but the end of a sentence stays behind what closes, or is a word."""
    address: bool = False
    """In a mail or a web address it also joins words, whatever `only` says: beside an at sign, and after "www"; in a
    `plain` phrase that it begins ("dot com") as well. A sign for "at" does so before what ends on one of `domains`."""
    calls: bool = False
    """In the mode `code` it has no space before it either, behind a name that is none of `keywords`: f(x), a[0]."""
    noun: bool = True
    """Directly after a determiner ("a comma") it is a plain word."""
    subject: bool = False
    """It is a plain word as well where a verb behind it makes a noun of it: "the incubation period is five days"."""
    opens: str = ""
    """Name of the pair that this opens, for toggles."""
    closes: str = ""
    mode: tuple[Mode, ...] = ("dictation", "code", "command")
    """The modes in which it is a command. The same phrase may stand for something else in another mode."""
    goes_on: str = ""
    """Marks just before it after which the sentence goes on, whatever `case` says: a new line behind a salutation."""
    note: str = ""
    """A line for docs/commands.md."""


class Toggle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command that opens and closes by turns; `open` and `close` are phrases of the rules it stands for."""

    spoken: tuple[Phrase, ...]
    open: Phrase
    close: Phrase


class CaseRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A casing command: it writes nothing itself, and has an effect on the words after it."""

    spoken: tuple[Phrase, ...]
    does: Does


class ModeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of mode. It is one only as a whole utterance, in every mode, so that there is a way back from each."""

    spoken: tuple[Phrase, ...]
    mode: Mode


Where: TypeAlias = Literal["marked", "stopped", "alone"]
"""Where the words of an edit are the edit, besides as a whole utterance: at the end of one, behind any mark of the
engine's (`marked`), behind one that ends a sentence (`stopped`), or nowhere (`alone`)."""

Modifier: TypeAlias = Literal["ctrl", "shift", "alt", "super"]
Key: TypeAlias = Literal[
    "Return", "Tab", "Escape", "BackSpace", "Delete", "Insert", "space", "Up", "Down", "Left", "Right", "Home", "End",
    "Prior", "Next", "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12",
]  # fmt: skip
"""Keys by the names of their keysyms, which X11 and Wayland have in common. `Prior` and `Next` turn the page."""


class EditRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An edit by voice: it is done to what was typed, and writes nothing.

    `scratch` takes back the last utterance that stands, `word` and `sentence` the last of these, `undo` what the last
    edit or utterance did. After what is said for `press` come modifiers and a key, of `modifiers` and `keys`.
    """

    spoken: tuple[Phrase, ...]
    does: Literal["scratch", "word", "sentence", "undo", "press"]
    only: Where = "stopped"


class Rules(msgspec.Struct, frozen=True):
    """A language's whole file. The shipped `rules/en.toml` says at its head how the lists work together."""

    escape: tuple[Phrase, ...] = ()
    """Said before a command, they make it plain words, and are not written."""
    reporting: tuple[Phrase, ...] = ()
    """Those of `escape` after which a quotation may open, as after "say": there an opening mark stays a command."""
    not_behind: Mapping[Phrase, tuple[str, ...]] = MappingProxyType({})
    """Escapes that are plain words directly behind certain words: "as they say", "took it literally"."""
    determiners: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()
    """Those of them between which and a command one of `adjectives` may stand, so that it is a noun: "a long dash"."""
    adjectives: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """Words that may end a clause, but before a mark that is neither , . ? nor ! are rather determiners ("his")."""
    verbs: tuple[str, ...] = ()
    """No sentence begins with them: for rules with `subject`."""
    being: tuple[str, ...] = ()
    """These begin questions alone, with one of `asked` behind them."""
    asked: tuple[str, ...] = ()
    plain: tuple[Phrase, ...] = ()
    """Phrases that hold a command's words and are none."""
    capitals: tuple[str, ...] = ()
    """Words as they are written wherever they stand."""
    abbreviations: tuple[str, ...] = ()
    """Words whose period ends no sentence, without it."""
    function_words: tuple[str, ...] = ()
    """Words that have a capital only where a sentence begins."""
    noun_capitals: bool = False
    """A capital within a sentence is the language's own, not a sentence's first: German nouns."""
    ordinary_words: tuple[str, ...] = ()
    """Everyday words that are no names: a capital behind the engine's full stop goes, but before another capital."""
    domains: tuple[str, ...] = ()
    """What an address ends on. A mark with `address` that is a command everywhere joins behind "@" only before them."""
    possessives: tuple[str, ...] = ()
    """Those of `determiners` after which "underscore" is a command: my_file."""
    keywords: tuple[str, ...] = ()
    """In the mode `code`, words that are no names, for rules with `calls`."""
    numbered: tuple[str, ...] = ()
    """There, words behind which a number is digits, besides the commands for operators and the like."""
    small_words: tuple[str, ...] = ()
    """Words that stay small inside a title."""
    openers: str = ""
    """Marks of the language that open, besides brackets: no space stands behind one that the engine wrote apart."""
    closers: str = ""
    before: Mapping[str, str] = MappingProxyType({})
    """Marks that have a space of their own before them, whoever wrote them, and that space; not in the mode `code`."""
    after: Mapping[str, str] = MappingProxyType({})
    """Opening marks that have one behind them."""
    decimal: str = ""
    """The mark of decimals, where the language has a command for it: between figures no space stands beside it."""
    numerals: tuple[str, ...] = ()
    """Number words. Between two of them the command for `decimal` is a word."""
    operands: tuple[str, ...] = ()
    """Words that a formula may hold beside letters and figures ("two", "null")."""
    spelling: Mapping[Phrase, str] = MappingProxyType({})
    """What is said for a letter, and the letter, in the mode `spelling`. A single letter needs no entry."""
    likening: tuple[Phrase, ...] = ()
    """What is said there between a letter and a word that begins with it ("as in")."""
    keys: Mapping[Phrase, Key] = MappingProxyType({})
    """What is said for a key, after `press`. Letters and figures need no entry where a modifier goes before them."""
    modifiers: Mapping[Phrase, Modifier] = MappingProxyType({})
    rule: tuple[Rule, ...] = ()
    toggle: tuple[Toggle, ...] = ()
    case: tuple[CaseRule, ...] = ()
    mode: tuple[ModeRule, ...] = ()
    edit: tuple[EditRule, ...] = ()


_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All control characters but tab and new line."""
_T = TypeVar("_T", Rule, Toggle, CaseRule, ModeRule, EditRule)
_TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "rule": Rule, "toggle": Toggle, "case": CaseRule, "mode": ModeRule, "edit": EditRule,
}  # fmt: skip


class _File(Rules, frozen=True, forbid_unknown_fields=True):
    """The file before its commands are judged one by one, so that an error can name the one that is wrong."""

    rule: tuple[dict[str, object], ...] = ()  # type: ignore[assignment]
    toggle: tuple[dict[str, object], ...] = ()  # type: ignore[assignment]
    case: tuple[dict[str, object], ...] = ()  # type: ignore[assignment]
    mode: tuple[dict[str, object], ...] = ()  # type: ignore[assignment]
    edit: tuple[dict[str, object], ...] = ()  # type: ignore[assignment]


class _Place:
    """Where in a file something stands, for errors: path, and line where it can be told."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._headers: dict[str, list[int]] = {}

    def __str__(self) -> str:
        return str(self._path)

    def header(self, kind: str, number: int) -> int:
        """Return the line of the `number`th table of a kind, 0 where it is written in another way."""
        if kind not in self._headers:  # once: 168 tables each looking for their own took 0.1 s of a stage's start
            header = re.compile(rf"\s*\[\[\s*{kind}\s*\]\]")
            self._headers[kind] = [at for at, line in enumerate(self._lines, 1) if header.match(line)]
        found = self._headers[kind]
        return found[number - 1] if number <= len(found) else 0

    def quoted(self, phrase: str, *, after: int = 0, last: bool = False) -> int:
        """Return the first or the last line after a line in which the phrase stands in quotes, that line if none."""
        forms = (f'"{phrase}"', f"'{phrase}'")
        found = [
            at for at, line in enumerate(self._lines, 1) if at > after and any(form in line for form in forms)
        ]  # fmt: skip
        return found[-1 if last else 0] if found else after

    def key(self, key: str, *, after: int) -> int:
        """Return the line of a key in the table whose header is on a line, that line where it cannot be told."""
        for at, line in enumerate(self._lines[after:], after + 1):
            if not key or not after or line.lstrip().startswith("["):
                break
            if re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
                return at
        return after

    def error(self, line: int, reason: str) -> RulesError:
        return RulesError(f"{self._path}:{line}: {reason}" if line else f"{self._path}: {reason}")


def shipped(language: str) -> Path:
    """Return the file that comes with Sottovoce for a language ("en").

    RulesError: there is none.
    """
    languages = sorted(path.stem for path in SHIPPED.glob("*.toml"))
    if language not in languages:
        raise RulesError(f"no transform rules for language {language!r}; there are: {', '.join(languages)}")
    return SHIPPED / f"{language}.toml"


def own(config: Path, language: str) -> Path:
    """Return where a user's own rules of a language are: `rules/LANGUAGE.toml` beside the configuration file."""
    return config.parent / "rules" / f"{language}.toml"


def read(path: Path) -> Rules:
    """Read and judge a rules file.

    RulesError: it cannot be read, is not TOML, a rule is not what its class here says, or two are said alike.
    """
    try:
        text = path.read_bytes().decode()
        file = msgspec.toml.decode(text, type=_File)
    except OSError as error:
        raise RulesError(f"{path}: cannot be read: {error.strerror}; make it readable, or take it away") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RulesError(f"{path}:{line}: not utf-8: {error.reason}; save it as UTF-8") from error
    except msgspec.DecodeError as error:
        raise RulesError(_located(path, text, error)) from error
    place = _Place(path, text)
    rules = Rules(
        **{name: getattr(file, name) for name in Rules.__struct_fields__ if name not in _TABLES},
        rule=_convert(place, "rule", file.rule, Rule),
        toggle=_convert(place, "toggle", file.toggle, Toggle),
        case=_convert(place, "case", file.case, CaseRule),
        mode=_convert(place, "mode", file.mode, ModeRule),
        edit=_convert(place, "edit", file.edit, EditRule),
    )
    for where, phrases in (
        ("escape", rules.escape), ("plain", rules.plain), ("spelling", tuple(rules.spelling)),
        ("likening", rules.likening), ("keys", tuple(rules.keys)), ("modifiers", tuple(rules.modifiers)),
    ):  # fmt: skip
        for phrase in phrases:
            _judge(place, where, phrase, after=0)
    seen = set[tuple[str, str]]()
    for phrase, kind in spoken_in(rules):
        if (phrase, kind) in seen:
            line = place.quoted(phrase, last=True)
            raise place.error(line, f"{phrase!r} stands for two things; take one of them out")
        seen.add((phrase, kind))
    return rules


def spoken_in(rules: Rules) -> Iterator[tuple[Phrase, str]]:
    """Yield each phrase that means something, once for each mode in which it does."""
    for rule in rules.rule:
        for mode in rule.mode:
            yield from ((phrase, mode) for phrase in rule.spoken)
    for mode in ("dictation", "code", "command"):
        yield from ((phrase, mode) for toggle in rules.toggle for phrase in toggle.spoken)
        yield from ((phrase, mode) for case in rules.case for phrase in case.spoken)
        yield from ((phrase, mode) for phrase in (*rules.escape, *rules.plain))
        yield from ((phrase, mode) for edit in rules.edit for phrase in edit.spoken)
    for switch in rules.mode:
        yield from ((phrase, "switch") for phrase in switch.spoken)


def _located(path: Path, text: str, error: Exception) -> str:
    """Return what is wrong with a file that is no rules file at all, with the line where the parser tells it."""
    reason = str(error)
    if told := re.search(r"\(at line (\d+), column \d+\)", reason):
        return f"{path}:{told[1]}: {reason}"
    if "end of document" in reason:
        return f"{path}:{max(1, len(text.splitlines()))}: {reason}"
    if named := re.search(r"field `(\w+)`", reason) or re.search(r"`\$\.(\w+)", reason):
        reason = explained(error, _File).text
        for at, line in enumerate(text.splitlines(), 1):
            if re.match(rf"\s*\[*\s*{named[1]}\b", line):
                return f"{path}:{at}: {reason}"
    return f"{path}: {reason}"


def _convert(place: _Place, kind: str, tables: tuple[dict[str, object], ...], form: type[_T]) -> tuple[_T, ...]:
    done = []
    for number, table in enumerate(tables, 1):
        spoken = table.get("spoken")
        where = f"{kind} {number} ({spoken[0]!r})" if isinstance(spoken, list) and spoken else f"{kind} {number}"
        line = place.header(kind, number)
        try:
            struct = msgspec.convert(table, form)
        except msgspec.ValidationError as error:
            wrong = explained(error, form)
            raise place.error(place.key(wrong.key, after=line), f"{where}: {wrong.text}") from error
        if not spoken:
            raise place.error(line, f"{where}: `spoken` is empty, so nobody can say it; name a phrase")
        if isinstance(struct, Rule) and not struct.mode:
            raise place.error(line, f"{where}: `mode` is empty, so it is never heard; name a mode, or leave it out")
        if isinstance(struct, Rule) and _UNWRITABLE.search(struct.write):
            reason = "`write` holds a control character, which would act on the window; take it out"
            raise place.error(place.key("write", after=line), f"{where}: {reason}")
        for phrase in struct.spoken:
            _judge(place, where, phrase, after=line)
        done.append(struct)
    return tuple(done)


def _judge(place: _Place, where: str, phrase: Phrase, *, after: int) -> None:
    """Refuse a phrase that could never be heard: it would be a rule that silently does nothing."""
    if not phrase or phrase != " ".join(phrase.lower().split()) or phrase[-1] in MARKS:
        raise place.error(
            place.quoted(phrase, after=after),
            f"{where}: {phrase!r} can never match; write lower-case words, one space between them, "
            "and no punctuation at the end",
        )
