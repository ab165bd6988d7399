"""Writing settings as TOML: the standard library reads it and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def as_toml(settings: Mapping[str, Any], prefix: str = "") -> str:
    """Return nested tables of strings, numbers, booleans and lists as TOML, whose syntax for those JSON shares."""
    plain = {_key(key): value for key, value in settings.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in plain.items()]
    if prefix and (plain or not settings):
        lines.insert(0, f"\n[{prefix}]\n")
    for key, value in settings.items():
        if isinstance(value, Mapping):
            lines.append(as_toml(value, f"{prefix}.{_key(key)}" if prefix else _key(key)))
    return "".join(lines)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
