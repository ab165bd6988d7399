"""A correction: what is written where something else was heard."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

MOST_WORDS: Final = 5
"""Of a phrase that is looked for."""
MODES: Final = ("dictation", "code", "verbatim")
"""Those that write words: in spelling there are letters alone, in command nothing is written."""
Match: TypeAlias = Literal["exact", "sound"]
LetterCase: TypeAlias = Literal["written", "heard", "upper", "lower"]
"""`written`: as it is in the correction. `heard`: as the words in whose place it comes: small letters, a capital first,
or all capitals."""

_LONGEST: Final = 10_000
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tab and new line: they would act on the window. Lone surrogates have no UTF-8."""
_MODE = re.compile(r"[a-z][a-z0-9-]{0,31}")


def check_modes(modes: Iterable[str]) -> None:
    """Refuse a mode in which no correction would ever hold.

    (Not asked of what is in the database: another version may have had another mode.)

    ValueError: there is no such mode, or it writes no words.
    """
    for mode in modes:
        if mode not in MODES:
            raise ValueError(
                f"no correction holds in the mode {mode!r}; they do in {', '.join(MODES[:-1])} and {MODES[-1]}"
            )


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is heard and what is written for it. Made by hand it has no number and was never used.

    ValueError: something in it could never be heard, or not be written.
    """

    heard: str
    """One to five words, one space between them. Their capitals, and marks around them, do not matter."""
    write: str
    """Any text, of several lines if need be."""
    match: Match = "exact"
    """`sound`: also what sounds like `heard` or like `write`."""
    case: LetterCase = "written"
    modes: tuple[str, ...] = ()
    """Those in which it holds ("dictation", "code", ...); () for all."""
    enabled: bool = True
    uses: int = 0
    used_ns: int | None = None
    """CLOCK_REALTIME of its last use."""
    added_ns: int = 0
    number: int = 0
    """In the database; 0 elsewhere."""

    def __post_init__(self) -> None:
        """Refuse what would silently do nothing, or harm."""
        words = self.heard.split()
        if not 1 <= len(words) <= MOST_WORDS or " ".join(words) != self.heard:
            raise ValueError(f"{self.heard!r} cannot be heard: 1 to {MOST_WORDS} words, one space between them")
        if not all(any(map(str.isalnum, word)) for word in words):
            raise ValueError(f"{self.heard!r} cannot be heard: each word needs a letter or a digit")
        if not self.write.strip() or len(self.write) > _LONGEST:
            raise ValueError(
                f"what is written for {self.heard!r} needs 1 to {_LONGEST} characters, and not only spaces"
            )
        for text in (self.heard, self.write):
            if _UNWRITABLE.search(text):
                raise ValueError(f"{text!r} has a control character, which would act on the window")
        for mode in self.modes:
            if not _MODE.fullmatch(mode):
                raise ValueError(f"{mode!r} is no mode: a name of small letters, digits and hyphens")
        if tuple(sorted(set(self.modes))) != self.modes:
            raise ValueError(f"the modes of {self.heard!r} must be in order, each once: {sorted(set(self.modes))}")
        if min(self.uses, self.used_ns or 0, self.added_ns, self.number) < 0:
            raise ValueError(f"{self.heard!r}: counts and times are not negative")

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """What no two corrections have in common: the phrase in lower case, and the modes."""
        return self.heard.lower(), self.modes

    def same_as(self, other: Correction) -> bool:
        """Whether it says the same, however often either was used."""
        return (self.key, self.write, self.match, self.case, self.enabled) == (
            other.key, other.write, other.match, other.case, other.enabled,
        )  # fmt: skip


class Suggestion(msgspec.Struct, frozen=True):
    """A change that a person made again and again, and that is no correction yet."""

    heard: str
    write: str
    seen: int
    seen_ns: int
