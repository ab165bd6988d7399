"""`sottovoce doctor`: why somebody cannot dictate."""

from __future__ import annotations

import sys

import typer

from sottovoce.ops.exceptions import EXIT_FAILED
from sottovoce.ops.output import JsonFlag, print_json


def doctor(as_json: JsonFlag = False) -> None:
    """Look at all that dictation needs, from Python to the window, and say what is wrong and what to do."""
    import shutil

    import msgspec

    from sottovoce.ops.doctor import examine
    from sottovoce.ops.finding import as_lines
    from sottovoce.protocol.paths import Paths

    findings = list(examine(Paths.from_environment()))
    if as_json:
        print_json(msgspec.to_builtins(findings))
    else:
        print(as_lines(findings, min(120, shutil.get_terminal_size((100, 24)).columns)))
    if problems := sum(finding.verdict == "problem" for finding in findings):
        print(f"sottovoce: {problems} problem{'s' if problems > 1 else ''}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILED)
