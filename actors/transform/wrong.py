"""What is wrong with a table of a rules file, so that it can be mended: which key, and what may stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec

_ABOUT = re.compile(r"`\$\.(\w+)|unknown field `(\w+)`")


class Wrong(NamedTuple):
    """A reason."""

    key: str
    """The key of the table that it is about; "" where that is one that is not there, or none."""
    text: str


def explained(reason: str, form: type[msgspec.Struct]) -> Wrong:
    """Return what msgspec has against a table, with what `form` allows there."""
    about = _ABOUT.search(reason)
    if about is None:
        return Wrong("", reason)
    if (unknown := about[2]) is not None:
        names = form.__struct_encode_fields__
        near = get_close_matches(unknown, names, 1)
        there = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names)}"
        return Wrong(unknown, f"there is no key `{unknown}`; {there}")
    key = about[1]
    allowed = [value for field in _fields(form) if field.encode_name == key for value in _values(field.type)]
    if not allowed or "enum" not in reason:
        return Wrong(key, reason)
    return Wrong(key, f"{reason}; it may be {', '.join(map(repr, allowed))}")


def _fields(form: type[msgspec.Struct]) -> tuple[Any, ...]:
    told = msgspec.inspect.type_info(form)
    assert isinstance(told, msgspec.inspect.StructType)  # noqa: S101 - of a Struct it is
    return told.fields


def _values(told: object) -> Iterator[object]:
    """Yield the values that a type names, wherever in it they are."""
    match told:
        case msgspec.inspect.LiteralType(values=values):
            yield from values
        case msgspec.inspect.UnionType(types=types):
            for inner in types:
                yield from _values(inner)
        case msgspec.inspect.VarTupleType(item_type=item):
            yield from _values(item)
