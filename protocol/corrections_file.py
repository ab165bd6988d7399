"""Corrections as a file, TOML or CSV: for other machines, other people, and a text editor.

Writing and reading one again gives the same corrections with all that is known of them, but for their numbers. TOML is
a `[[correction]]` for each; CSV has a header with the same names, of which `heard` and `write` are needed, and a space
between modes. What is not said has its default.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from sottovoce.protocol.correction import Correction, check_modes
from sottovoce.protocol.wrong import explained

Format: TypeAlias = Literal["toml", "csv"]
FORMATS: Final[tuple[Format, ...]] = ("toml", "csv")

_FIELDS: Final = tuple(name for name in Correction.__struct_fields__ if name != "number")
_COUNTS: Final = ("uses", "used_ns", "added_ns")
_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*correction[ \t]*\]\]", re.MULTILINE)
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Found(NamedTuple):
    """A correction of a file."""

    line: int
    """Where it begins, from 1; 0 where that cannot be told."""
    correction: Correction


class Conflict(NamedTuple):
    """A correction of a file for which there is another one already."""

    line: int
    correction: Correction
    other: Correction


class FileProblem(ValueError):
    """What is wrong with a file, a line for each: "line 3: reason"."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n".join(self.reasons))


def write(corrections: Iterable[Correction], form: Format) -> str:
    """Return the text of a file."""
    if form == "csv":
        out = io.StringIO(newline="")
        table = csv.writer(out, lineterminator="\n")
        table.writerow(_FIELDS)
        for correction in corrections:
            values = msgspec.structs.asdict(correction)
            values |= {"modes": " ".join(correction.modes), "enabled": "yes" if correction.enabled else "no"}
            table.writerow(["" if values[name] is None else values[name] for name in _FIELDS])
        return out.getvalue()
    return "\n".join(map(_as_table, corrections))


def read(text: str, form: Format) -> list[Found]:
    """Read the text of a file, a byte order mark at its start or not.

    FileProblem: it is not of that form, or one of its corrections cannot be; all of them are told.
    """
    text = text.removeprefix("\ufeff")
    tables = _from_csv(text) if form == "csv" else _from_toml(text)
    found, reasons = [], []
    for line, number, table in tables:
        where = f"line {line}" if line else f"correction {number}"
        try:
            if isinstance(table, str):
                raise ValueError(table)
            if "number" in table:
                raise ValueError("a number is given by the database; take it out")
            correction = msgspec.convert(table, Correction)
            check_modes(correction.modes)
            found.append(Found(line, correction))
        except msgspec.ValidationError as error:
            wrong = explained(error, Correction)
            at = _line_of(text, line, wrong.key) if form == "toml" else 0
            reasons.append(f"{f'line {at}' if at else where}: {wrong.text}")
        except ValueError as error:
            reasons.append(f"{where}: {error}")
    first: dict[tuple[str, tuple[str, ...]], int] = {}
    for number, (line, correction) in enumerate(found, 1):
        other = first.setdefault(correction.key, line or number)
        if other != (line or number):
            reasons.append(f"line {line or number}: {correction.heard!r} is there twice, first in line {other}")
    if reasons:
        raise FileProblem(reasons)
    return found


def conflicts(found: Iterable[Found], there: Iterable[Correction]) -> list[Conflict]:
    """Return the corrections of a file that say something else than those that are there, of the same key."""
    known = {correction.key: correction for correction in there}
    return [
        Conflict(line, correction, known[correction.key])
        for line, correction in found
        if correction.key in known and not correction.same_as(known[correction.key])
    ]


_Table: TypeAlias = tuple[int, int, Mapping[str, Any] | str]
"""Its line, its number in the file, and what it holds, or why it cannot be read."""


def _as_table(correction: Correction) -> str:
    default = Correction(heard="x", write="x")
    lines = ["[[correction]]\n"]
    for name in _FIELDS:
        value = getattr(correction, name)
        if name in ("heard", "write", "match") or value != getattr(default, name):
            # A JSON string is one of TOML's, but for DEL, which a correction cannot have.
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def _from_toml(text: str) -> list[_Table]:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileProblem([f"not TOML: {error}"]) from error
    tables = data.pop("correction", [])
    if data:
        raise FileProblem([f"{next(iter(data))!r} is not known; corrections are [[correction]] tables"])
    if not isinstance(tables, list):
        raise FileProblem(["correction is not a list; write [[correction]] before each"])
    lines = [text.count("\n", 0, match.start()) + 1 for match in _TABLE.finditer(text)]
    if len(lines) != len(tables):  # such a line stands in a string, or the tables are written in another way
        lines = _outside_strings(text)
    if len(lines) != len(tables):
        lines = [0] * len(tables)
    return [
        (line, number, table if isinstance(table, dict) else "not a table")
        for number, (line, table) in enumerate(zip(lines, tables, strict=True), 1)
    ]


def _line_of(text: str, begin: int, key: str) -> int:
    """Return the line with a key of the table that begins in a line, both from 1; 0 where it is not found."""
    lines = text.splitlines()
    for at in range(begin, len(lines)) if begin and key else ():
        if lines[at].lstrip().startswith("["):
            return 0
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[at]):
            return at + 1
    return 0


def _outside_strings(text: str) -> list[int]:
    """Return the lines with a table's header that is none of a string: what is before it can be read by itself."""
    lines, begin = [], 0
    for match in _TABLE.finditer(text):
        try:
            tomllib.loads(text[begin : match.start()])
        except tomllib.TOMLDecodeError:
            continue
        begin = match.start()
        lines.append(text.count("\n", 0, begin) + 1)
    return lines


def _from_csv(text: str) -> list[_Table]:
    rows = csv.reader(io.StringIO(text.replace("\r\n", "\n"), newline=""), strict=True)
    tables: list[_Table] = []
    line = 1
    try:
        header = next(rows, [])
        if unknown := [name for name in header if name not in _FIELDS]:
            raise FileProblem([f"line 1: no such column: {unknown[0]!r}; there are {', '.join(_FIELDS)}"])
        if not {"heard", "write"} <= set(header) or len(set(header)) != len(header):
            raise FileProblem(["line 1: the header needs the columns heard and write, and each name once"])
        line = rows.line_num + 1
        for row in rows:
            if row:
                tables.append((line, len(tables) + 1, _from_row(header, row)))
            line = rows.line_num + 1
    except csv.Error as error:
        raise FileProblem([f"line {line}: not CSV: {error}"]) from error
    return tables


def _from_row(header: list[str], row: list[str]) -> dict[str, Any] | str:
    if len(row) != len(header):
        return f"{len(row)} fields, where the header has {len(header)}"
    cells = zip(header, row, strict=True)
    table: dict[str, Any] = {name: text for name, text in cells if text or name in {"heard", "write"}}
    for name in _COUNTS:
        if name in table:
            if not re.fullmatch(r"[0-9]{1,19}", table[name]):
                return f"{name} is a number, not {table[name]!r}"
            table[name] = int(table[name])
    if "modes" in table:
        table["modes"] = table["modes"].split()
    if "enabled" in table:
        if table["enabled"].lower() not in _TRUTHS:
            return f"enabled is yes or no, not {table['enabled']!r}"
        table["enabled"] = _TRUTHS[table["enabled"].lower()]
    return table
