"""Writing settings as TOML: the standard library reads it and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def as_toml(settings: Mapping[str, Any], prefix: str = "") -> str:
    """Return nested tables of strings, numbers, booleans and lists as TOML, whose syntax for those JSON shares.

    A list of tables, whose syntax it does not share, becomes a `[[table]]` each.
    """
    plain = {_key(key): value for key, value in settings.items() if _is_plain(value)}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in plain.items()]
    if prefix and (plain or not settings):
        lines.insert(0, f"\n[{prefix}]\n")
    for key, value in settings.items():
        path = f"{prefix}.{_key(key)}" if prefix else _key(key)
        if isinstance(value, Mapping):
            lines.append(as_toml(value, path))
        elif not _is_plain(value):
            lines += (f"\n[[{path}]]\n{as_toml(table)}" for table in value)
    return "".join(lines)


def _is_plain(value: object) -> bool:
    return not isinstance(value, Mapping) and not (
        isinstance(value, Sequence) and any(isinstance(item, Mapping) for item in value)
    )


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
