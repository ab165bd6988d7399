"""The rules of a language: what its file may hold, and how it is read and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import msgspec

from sottovoce.actors.transform.context import Case
from sottovoce.actors.transform.exceptions import RulesError
from sottovoce.actors.transform.heard import MARKS

Phrase: TypeAlias = str
"""Lower-case words parted by single spaces. All but the last may carry an engine's comma ("dot, dot, dot")."""

SHIPPED = Path(__file__).parent / "rules"

_T = TypeVar("_T", bound=msgspec.Struct)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command: what is said, what is written, and what that does to its neighbours."""

    spoken: tuple[Phrase, ...]
    """Every way of saying it. A phrase of several words is also found where the engine joined them by hyphens."""
    write: str
    attach: Literal["left", "right", "both", "none"]
    """On which sides there is no space."""
    case: Case | Literal["same"] = "inside"
    """What the next word is; `same` leaves that as it was."""
    only: Literal["anywhere", "alone"] = "anywhere"
    """`alone`: a command only where pauses, commands or the ends of the utterance stand on both sides of it."""
    keeps: str = ""
    """The engine's marks just before the command that stay. All others there, and all after it, were only its rendering
    of the pauses around a spoken command, and go."""
    noun: bool = True
    """Directly after a determiner ("a comma") it is a plain word."""
    opens: str = ""
    """Name of the pair that this opens, for toggles."""
    closes: str = ""


class Toggle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command that opens and closes by turns; `open` and `close` are phrases of the rules it stands for."""

    spoken: tuple[Phrase, ...]
    open: Phrase
    close: Phrase


class Rules(msgspec.Struct, frozen=True):
    """A language's whole file. The shipped `rules/en.toml` says at its head how the lists work together."""

    escape: tuple[Phrase, ...] = ()
    """Said before a command, they make it plain words."""
    determiners: tuple[str, ...] = ()
    plain: tuple[Phrase, ...] = ()
    """Phrases that hold a command's words and are none."""
    capitals: tuple[str, ...] = ()
    """Words as they are written wherever they stand."""
    abbreviations: tuple[str, ...] = ()
    """Words whose period ends no sentence, without it."""
    function_words: tuple[str, ...] = ()
    """Words that have a capital only where a sentence begins."""
    rule: tuple[Rule, ...] = ()
    toggle: tuple[Toggle, ...] = ()


class _File(Rules, frozen=True, forbid_unknown_fields=True):
    """The file before its commands are judged one by one, so that an error can name the one that is wrong."""

    rule: tuple[dict[str, object], ...] = ()  # type: ignore[assignment]
    toggle: tuple[dict[str, object], ...] = ()  # type: ignore[assignment]


def shipped(language: str) -> Path:
    """Return the file that comes with Sottovoce for a language ("en").

    RulesError: there is none.
    """
    languages = sorted(path.stem for path in SHIPPED.glob("*.toml"))
    if language not in languages:
        raise RulesError(f"no transform rules for language {language!r}; there are: {', '.join(languages)}")
    return SHIPPED / f"{language}.toml"


def read(path: Path) -> Rules:
    """Read and judge a rules file.

    RulesError: it cannot be read, is not TOML, or a rule is not what `Rule` and `Toggle` say.
    """
    try:
        file = msgspec.toml.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise RulesError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RulesError(f"{path}: {error}") from error
    rules = Rules(
        **{name: getattr(file, name) for name in Rules.__struct_fields__ if name not in {"rule", "toggle"}},
        rule=_convert(path, "rule", file.rule, Rule),
        toggle=_convert(path, "toggle", file.toggle, Toggle),
    )
    for where, phrases in (("escape", rules.escape), ("plain", rules.plain)):
        for phrase in phrases:
            _judge(path, where, phrase)
    return rules


def _convert(path: Path, kind: str, tables: tuple[dict[str, object], ...], form: type[_T]) -> tuple[_T, ...]:
    done = []
    for number, table in enumerate(tables, 1):
        spoken = table.get("spoken")
        where = f"{kind} {number} ({spoken[0]!r})" if isinstance(spoken, list) and spoken else f"{kind} {number}"
        try:
            struct = msgspec.convert(table, form)
        except msgspec.ValidationError as error:
            raise RulesError(f"{path}: {where}: {error}") from error
        if not spoken:
            raise RulesError(f"{path}: {where}: `spoken` is empty, so nobody can say it; name a phrase")
        for phrase in struct.spoken:  # type: ignore[attr-defined]
            _judge(path, where, phrase)
        done.append(struct)
    return tuple(done)


def _judge(path: Path, where: str, phrase: Phrase) -> None:
    """Refuse a phrase that could never be heard: it would be a rule that silently does nothing."""
    if not phrase or phrase != " ".join(phrase.lower().split()) or phrase[-1] in MARKS:
        raise RulesError(
            f"{path}: {where}: {phrase!r} can never match; write lower-case words, one space between them, "
            "and no punctuation at the end"
        )
