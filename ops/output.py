"""What commands print for programs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(value: Any) -> None:
    """Print a value as indented JSON, text as it is."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
