"""The voice commands, from the rules themselves: for the terminal and for programs; `commands_page` has the page."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sottovoce.actors.transform.rulebook import Rule, Rules

ONLY: Final = {
    "anywhere": "",
    "alone": "where it stands apart",
    "line": "where a line begins",
    "formula": "between operands as x, n or 3, one of them no figure",
    "address": "in a mail address whose name has a mark in it",
}
"""What `only` says of where a command is one."""
SHOWN: Final = {"\n": "line feed", "\n\n": "two line feeds", "\t": "tab"}
"""What is written, where it cannot be seen."""
BREAKS: Final = ("\n\n", "\n", "\t")
"""What a mark may end on that cannot be seen, the longest first."""
EDITS: Final = {
    "scratch": "takes back the last utterance that was typed",
    "word": "takes back the last word that was typed",
    "sentence": "takes back the last sentence that was typed",
    "undo": "takes back the last edit, or the last utterance",
    "press": "presses the key that is said next",
}
"""What an edit does."""


def as_rows(rules: Rules) -> dict[str, Any]:
    """Return all rules as what JSON can hold, by the names of `rulebook`."""
    rows = msgspec.to_builtins(rules, enc_hook=dict)  # a table that is left out is a mapping that msgspec does not know
    assert isinstance(rows, dict)  # noqa: S101 - a struct becomes one
    return rows


def as_text(rules: Rules) -> str:
    """Return a line for each command: what it writes, and all that may be said for it."""
    lines = []
    for rule in rules.rule:
        where = "; ".join(filter(None, (ONLY[rule.only], _modes(rule))))
        lines.append((_shown(rule.write), rule.spoken, where))
    lines += [("opens, closes", toggle.spoken, "by turns") for toggle in rules.toggle]
    lines += [(case.does, case.spoken, "") for case in rules.case]
    lines += [(f"mode {switch.mode}", switch.spoken, "as a whole utterance") for switch in rules.mode]
    lines += [(f"edit: {edit.does}", edit.spoken, EDITS[edit.does]) for edit in rules.edit]
    lines.append(("as words", rules.escape, "before a command"))
    return "".join(
        f"{what:<22}{' | '.join(spoken)}{f'  ({where})' if where else ''}\n" for what, spoken, where in lines if spoken
    )


def _modes(rule: Rule) -> str:
    return f"in {', '.join(rule.mode)}" if rule.mode != Rule(spoken=(), write="", attach="none").mode else ""


def _shown(write: str) -> str:
    """Return what is written, with words for the line feeds and tabs at its end."""
    for end in BREAKS:
        if write.endswith(end) and write not in SHOWN:
            return f"{write.removesuffix(end)} and {SHOWN[end]}"
    return SHOWN.get(write, write)
