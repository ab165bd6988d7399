"""Writing settings as TOML: the standard library reads it and does not write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_toml(settings: Mapping[str, Any], prefix: str = "") -> str:
    """Return nested tables of strings, numbers, booleans and lists as TOML, whose syntax for those JSON shares."""
    plain = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in plain.items()]
    if prefix and (plain or not settings):
        lines.insert(0, f"\n[{prefix}]\n")
    for key, value in settings.items():
        if isinstance(value, Mapping):
            lines.append(as_toml(value, f"{prefix}.{key}" if prefix else key))
    return "".join(lines)
