"""What a check of `sottovoce doctor` found, and how it is told."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal

import msgspec

Verdict = Literal["ok", "warning", "problem", "not-applicable"]
_MARKS: dict[Verdict, str] = {"ok": "ok", "warning": "warning", "problem": "PROBLEM", "not-applicable": "-"}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check's outcome. Never holds dictated text."""

    name: str
    """What was looked at, e.g. "models"; of a stage "stage NAME"."""
    verdict: Verdict
    """"problem": dictation does not work, or wrongly; "warning": it works, and something should be known."""
    found: str
    """What is so, in a sentence."""
    advice: str = ""
    """What to do; "" where nothing is to be done."""
    figures: dict[str, float] = {}
    """What was measured or counted, for programs."""


def ok(name: str, found: str, **figures: float) -> Finding:
    """Return that all is well."""
    return Finding(name=name, verdict="ok", found=found, figures=figures)


def skipped(name: str, found: str) -> Finding:
    """Return that there is nothing to be looked at, and why."""
    return Finding(name=name, verdict="not-applicable", found=found)


def warning(name: str, found: str, advice: str = "", **figures: float) -> Finding:
    """Return what should be known."""
    return Finding(name=name, verdict="warning", found=found, advice=advice, figures=figures)


def problem(name: str, found: str, advice: str = "", **figures: float) -> Finding:
    """Return what keeps somebody from dictating."""
    return Finding(name=name, verdict="problem", found=found, advice=advice, figures=figures)


def failed(name: str, error: Exception) -> Finding:
    """Return an error of ours as a problem; its text is what was wrong, then ";", then what to do."""
    found, _, advice = str(error).partition("; ")
    return problem(name, found, advice)


def as_lines(findings: Sequence[Finding], width: int = 100) -> str:
    """Return findings for people: a paragraph each, the advice after an arrow."""
    column = max(len(finding.name) for finding in findings) + 2
    lines = []
    for finding in findings:
        head = f"{_MARKS[finding.verdict]:<9}{finding.name:<{column}}"
        indent = " " * len(head)
        lines += textwrap.wrap(
            finding.found, max(width, len(head) + 40), initial_indent=head, subsequent_indent=indent,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        if finding.advice:
            lines += textwrap.wrap(
                f"-> {finding.advice}", max(width, len(head) + 40), initial_indent=indent,
                subsequent_indent=f"{indent}   ", break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
    return "\n".join(lines)
