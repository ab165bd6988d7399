"""What is wrong with a table of a file, so that it can be mended: which key, and what may stand there."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

import msgspec
import msgspec.inspect

_AT: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
_UNKNOWN: Final = re.compile(r"unknown field `(?P<key>[^`]*)`")


class Wrong(NamedTuple):
    """A reason."""

    key: str
    """The key of the table that it is about; "" where no one is."""
    text: str


def explained(error: Exception, of: type[msgspec.Struct]) -> Wrong:
    """Return what msgspec has against tables of type `of`, with what may stand there.

    For a key that is not known that is the one that is meant, or all; for a value that is none of a few words, those.
    Any other reason comes back as it is.
    """
    text = str(error)
    at = _AT.search(text)
    path = re.findall(r"[^.\[\]]+", at["path"]) if at else []
    kinds = _at(of, path)
    if unknown := _UNKNOWN.search(text):
        names = [field.encode_name for kind in kinds if hasattr(kind, "fields") for field in kind.fields]
        near = get_close_matches(unknown["key"], names, 1)
        told = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names)}"
        return Wrong(unknown["key"], f"{text}; {told}" if names else text)
    words = [repr(value) for kind in kinds if isinstance(kind, msgspec.inspect.LiteralType) for value in kind.values]
    key = path[0] if path else ""
    if not words or "enum" not in text:
        return Wrong(key, text)
    number = any(isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType) for kind in kinds)
    return Wrong(key, f"{text}; it may be {', '.join(words)}{', or a number' if number else ''}")


def _at(of: type[msgspec.Struct], path: list[str]) -> tuple[Any, ...]:
    """Return what the value at a path may be: the types that are joined there, without their bounds."""
    kinds: tuple[Any, ...] = (msgspec.inspect.type_info(of),)
    for part in path:
        kinds = tuple(inner for kind in kinds for inner in _inside(kind, part))
    return kinds


def _inside(kind: Any, part: str) -> tuple[Any, ...]:
    if isinstance(kind, msgspec.inspect.StructType):
        return next((_joined(field.type) for field in kind.fields if field.encode_name == part), ())
    if isinstance(kind, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
        return _joined(kind.item_type)
    return ()


def _joined(kind: Any) -> tuple[Any, ...]:
    if isinstance(kind, msgspec.inspect.Metadata):
        return _joined(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return tuple(inner for one in kind.types for inner in _joined(one))
    return (kind,)
