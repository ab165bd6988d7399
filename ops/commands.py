"""The table of the voice commands, from the rules themselves: for the terminal, for programs, for docs/commands.md."""

from __future__ import annotations

from typing import Any

import msgspec

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.rulebook import Rule, Rules

EXAMPLES = (
    "hello comma world period",
    "she said comma quote i'm here exclamation point quote new line bullet milk",
    "set snake case user name equals sign capital r robert",
    "type literal comma here comma and all caps nasa too",
)
"""Said at the head of docs/commands.md, whatever the language is English."""

_SPACES = {"left": "no space before", "right": "no space after", "both": "no space on either side", "none": "spaced"}
_NEXT = {"start": "begins a sentence", "inside": "", "free": "as the engine has it", "same": ""}
_ONLY = {
    "anywhere": "",
    "alone": "where it stands apart",
    "line": "where a line begins",
    "formula": "between operands, as x, n or 3",
}
_DOES = {
    "upper on": "ALL CAPITALS until it is switched off",
    "upper off": "ends that",
    "title on": "A Title's Capitals until it is switched off",
    "title off": "ends that",
    "lower on": "no capitals until it is switched off",
    "lower off": "ends that",
    "upper word": "the next word in CAPITALS",
    "lower word": "the next word without a capital",
    "capital letter": "and a letter: R; and a letter and a word that begins with it: Robert",
    "camel phrase": "and a phrase: userName",
    "pascal phrase": "and a phrase: UserName",
    "snake phrase": "and a phrase: user_name",
    "kebab phrase": "and a phrase: user-name",
    "constant phrase": "and a phrase: USER_NAME",
    "title phrase": "and a phrase: User Name",
    "end phrase": "ends the phrase, if it should go on as prose",
}
_PROSE = ("dictation", "command")
_SHOWN = {"\n": "line feed", "\n\n": "two line feeds", "\t": "tab"}


def as_rows(rules: Rules) -> dict[str, Any]:
    """Return all rules as what JSON can hold, by the names of `rulebook`."""
    rows = msgspec.to_builtins(rules)
    assert isinstance(rows, dict)  # noqa: S101 - a struct becomes one
    return rows


def as_text(rules: Rules) -> str:
    """Return a line for each command: what it writes, and all that may be said for it."""
    lines = []
    for rule in rules.rule:
        where = "; ".join(filter(None, (_ONLY[rule.only], _modes(rule))))
        lines.append((_SHOWN.get(rule.write, rule.write), rule.spoken, where))
    lines += [("opens, closes", toggle.spoken, "by turns") for toggle in rules.toggle]
    lines += [(case.does, case.spoken, "") for case in rules.case]
    lines += [(f"mode {switch.mode}", switch.spoken, "as a whole utterance") for switch in rules.mode]
    lines.append(("as words", rules.escape, "before a command"))
    return "".join(
        f"{what:<16}{' | '.join(spoken)}{f'  ({where})' if where else ''}\n" for what, spoken, where in lines if spoken
    )


def as_markdown(transformer: Transformer, *, english: bool) -> str:
    """Return the page for a language; the examples, and how phrases are told from words, are for English alone."""
    rules = transformer.rules
    parts = [
        "# Voice commands\n\n",
        "Written by `sottovoce rules list --markdown` from the rules; do not edit it. Another language:\n"
        "`sottovoce rules list --language de`. What a text becomes, and why: `sottovoce rules test TEXT`.\n\n",
        _examples(transformer) + _HOW + _OWN if english else "",
        "## Marks, signs and lines\n\n", _rules([rule for rule in rules.rule if set(_PROSE) & set(rule.mode)]),
        "\nBy turns, opening and closing, also over several utterances:\n\n", _toggles(rules),
        "\n## In code\n\nIn the mode `code` these are commands as well:\n\n",
        _rules([rule for rule in rules.rule if rule.mode == ("code",)]),
        "\n## As words\n\n", _escapes(rules),
        "\n## Capitals\n\n", _table(("said", "does"), [(_said(case.spoken), _DOES[case.does]) for case in rules.case]),
        _PHRASE,
        "\n## Modes\n\nSaid as a whole utterance, in any mode:\n\n",
        _table(("said", "mode"), [(_said(switch.spoken), f"`{switch.mode}`") for switch in rules.mode]),
        _MODES, _spelling(rules),
    ]  # fmt: skip
    return "".join(parts)


_HOW = """## What counts as said

Models write punctuation of their own around the pauses beside a command: "Hello, comma, world. Period." and "hello
comma world period" are the same. Capitals do not matter. The longest phrase that fits is the one that is heard.

A command that is a noun is a word after "a", "the", "my" and the like ("put a comma here"), and in well-known phrases
("colon cancer", "slash prices"): `sottovoce rules list --json` has them under `plain`. "Where" says what else must
hold. What is not in the tables is words: hash, pound, plus, equals, pipe, mister, doctor and one are left alone in
prose.

"""

_OWN = """## Rules of your own

They go into `rules/en.toml` beside `config.toml`, so by default into `$XDG_CONFIG_HOME/sottovoce/rules/en.toml`. A
phrase of yours replaces the shipped meaning. The file is read again when it is saved, and one that is wrong is
refused with file, line and reason while the rules from before stay. `sottovoce rules check` says so at once.

```toml
plain = ["tab"] # no command any more

[[rule]]
spoken = ["pound sign"]
write = "£"
attach = "right" # on which sides there is no space: left, right, both, none
```

`case` is what the next word is: `start` of a sentence, `inside` one (if left out), `free` (as the model has it),
`same` as before. `only` is where it is a command: `anywhere`, `alone`, `line`, `formula`. `mode` is a list of modes.
`keeps` are the model's marks before the command that stay; `noun = false`: also after an article.

"""

_PHRASE = """
A phrase ends with the utterance, at the next command, at a mark that the model puts, or at the words that end it. By
themselves capitals come at the start of a sentence, in "I" and its contractions, after an opening quote, in weekdays
and months; not after a decimal point, and not after an abbreviation.
"""

_MODES = """
`dictation` is prose. `code` has its table above as well, and puts no capitals. In `verbatim` every word is a word. In
`command` only commands are heard, and nothing else is typed. In `spelling` what is said becomes letters:

"""


def _examples(transformer: Transformer) -> str:
    lines = ["## Four examples\n\n```console\n"]
    for said in EXAMPLES:
        quoted = f'"{said}"' if "'" in said else said
        lines.append(f"$ sottovoce transform {quoted}\n{transformer.apply(said, Context())[0]}\n")
    return "".join([*lines, "```\n\n"])


def _rules(rules: list[Rule]) -> str:
    rows = []
    for rule in rules:
        where = [_ONLY[rule.only], rule.note]
        rows.append(
            (
                _said(rule.spoken),
                _written(rule.write),
                _SPACES[rule.attach],
                _NEXT[rule.case],
                "; ".join(filter(None, where)),
            )
        )
    return _table(("said", "writes", "spaces", "the next word", "where"), rows)


def _toggles(rules: Rules) -> str:
    by_phrase = {phrase: rule for rule in rules.rule for phrase in rule.spoken}
    return _table(
        ("said", "opens", "closes"),
        [
            (_said(toggle.spoken), _written(by_phrase[toggle.open].write), _written(by_phrase[toggle.close].write))
            for toggle in rules.toggle
        ],
    )


def _escapes(rules: Rules) -> str:
    reporting = f" After {_said(rules.reporting)} an opening mark stays a command." if rules.reporting else ""
    return (
        f"{_said(rules.escape)}, said before a command, makes its words plain words, however many they are,\n"
        f"and is itself not written.{reporting}\n"
    )


def _spelling(rules: Rules) -> str:
    letters: dict[str, list[str]] = {}
    for phrase, letter in rules.spelling.items():
        letters.setdefault(letter, []).append(phrase)
    return _table(("said", "writes"), [(_said(tuple(spoken)), _written(letter)) for letter, spoken in letters.items()])


def _modes(rule: Rule) -> str:
    return f"in {', '.join(rule.mode)}" if rule.mode != Rule(spoken=(), write="", attach="none").mode else ""


def _said(spoken: tuple[str, ...]) -> str:
    return ", ".join(f"`{phrase}`" for phrase in spoken)


def _written(write: str) -> str:
    if write in _SHOWN:
        return _SHOWN[write]
    if not write.strip():
        return "space"
    fence = "`` " if "`" in write else "`"
    if "``" in write:
        fence = "```` "
    return f"{fence}{write}{fence[::-1]}".replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
