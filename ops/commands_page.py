"""docs/commands.md, from the rules and what the transform makes of examples: `sottovoce rules list --markdown`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any, Final

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.asking import CONTEXT, TRIGGERS
from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.corrections import Corrections
from sottovoce.actors.transform.rulebook import Rule, Rules
from sottovoce.ops.commands import BREAKS, EDITS, ONLY, SHOWN
from sottovoce.protocol.correction import Correction

EXAMPLES: Final = (
    "hello comma world period",
    "she said comma quote i'm here exclamation point quote new line bullet milk",
    "set snake case user name equals sign capital r robert",
    "type literal comma here comma and all caps nasa too",
)
"""Said at the head of the page."""

_HEARD: Final = (
    "Hello, comma, world. Period.",
    "put a comma here and a period there",
    "my tab is open in a new tab",
    "hash or pound, it equals a plus",
)
_NUMBERS: Final = (
    "number forty two",
    "digits four oh four",
    "see line forty two of chapter three",
    "error four oh four in version three point five",
    "room number five",
    "in nineteen fifty and in the nineteen fifties",
    "the twenty first of march twenty twenty five",
    "one two seven dot zero dot zero dot one",
    "twenty five percent of ninety dollars",
    "at three thirty p m",
    "the twenty first floor",
    "three point one four",
    "one hundred twenty thousand people",
    "call five five five one two three four",
    "minus three degrees",
    "one of them came second",
)
_ESCAPED: Final = (
    "type literal comma here",
    "the word period",
    "say open paren",
    "line literal forty two",
    "say number five",
)
_CASED: Final = (
    "this is all caps nasa speaking",
    "caps on warning caps off please",
    "from capital r robert",
    "title case the lord of the rings",
    "set camel case get user name comma please",
)
_IN_CODE: Final = (
    "total plus equals price times two",
    "user dot name equals quote ada quote",
    "if x equals y colon",
    "x equals open bracket one comma minus two point five close bracket",
)
_SPELLED: Final = (
    "alpha bravo three",
    "b as in boy, n for November",
    "capital alpha delta alpha",
    "see dash tea underscore zero",
)
_LEARNED: Final = (
    Correction(heard="arkon", write="Archon", match="sound", number=1),
    Correction(heard="my email", write="me@example.com", number=2),
    Correction(heard="sign off", write="Best regards,\nAda", number=3),
)
_CORRECTED: Final = ("ask arkon comma or arcon", "write to my email period", "um so that is it new line sign off")

_SPACES = {"left": "no space before", "right": "no space after", "both": "no space on either side", "none": "spaced"}
_NEXT = {"start": "begins a sentence", "inside": "", "free": "as the engine has it", "same": ""}
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
_PROSE: Final = ("dictation", "command")
_SPAN: Final = re.compile(r"`[^`]*`")
_WHERE: Final = {
    "marked": "as a whole utterance, or after any mark at its end",
    "stopped": "as a whole utterance, or after the end of a sentence",
    "alone": "as a whole utterance",
}


def as_markdown(transformer: Transformer, *, english: bool) -> str:
    """Return the page for a language; the examples, and what is told around the tables, are for English alone."""
    rules = transformer.rules
    prose = [rule for rule in rules.rule if set(_PROSE) & set(rule.mode)]
    code = [rule for rule in rules.rule if rule.mode == ("code",)]
    parts = [
        "# Voice commands\n\n",
        "Written by `sottovoce rules list --markdown` from the rules; do not edit it. Another language:\n"
        "`sottovoce rules list --language de`. What a text becomes, and why: `sottovoce rules test TEXT`.\n\n",
        _examples(transformer) + _how(transformer) if english else "",
        "## Marks, signs and lines\n\n", _rules(prose),
        "\nBy turns, opening and closing, also over several utterances:\n\n", _toggles(rules),
        _numbers(transformer) if english else "",
        "\n## As words\n\n", _escapes(transformer, english=english),
        "\n## Capitals\n\n", _table(("said", "does"), [(_said(case.spoken), _DOES[case.does]) for case in rules.case]),
        _PHRASE + _tried(transformer, _CASED) if english else "",
        _edits(rules),
        "\n## Modes\n\nSaid as a whole utterance, in any mode:\n\n",
        _table(("said", "mode"), [(_said(switch.spoken), f"`{switch.mode}`") for switch in rules.mode]),
        _MODES if english else "",
        "\n### In code\n\nIn the mode `code` these are commands as well:\n\n", _rules(code),
        "\n" + _tried(transformer, _IN_CODE, mode="code") if english else "",
        "\n### Spelling\n\nIn the mode `spelling` what is said becomes letters:\n\n", _spelling(rules),
        "\n" + _tried(transformer, _SPELLED, mode="spelling") if english else "",
        _corrections(transformer) + _OWN if english else "",
    ]  # fmt: skip
    return "".join(parts)


_HOW: Final = """
Models write punctuation of their own around the pauses beside a command; with it and without it the same is written.
Only the end of a sentence stays, behind a command that closes something or is a word ("at example dot com. Then ...").
Capitals do not matter. The longest phrase that fits is the one that is heard.

Outside of `code` a command that is a noun is a word after "a", "the", "my" and the like ("put a comma there", "a big
question mark"), after "the" and the like also one that opens what nothing closes, and in well-known phrases ("colon
cancer", "slash prices"): `sottovoce rules list --json` has them under `plain`. Behind "new line" a comma, a period or
the like with words behind it is a word. "Where" says what else must hold. What is not in the tables is words: hash,
pound, plus, equals, pipe, mister, doctor and one are left alone in prose.

"""

_PHRASE: Final = """
A phrase ends with the utterance, at the next command, at a mark that the model puts, or at the words that end it. By
themselves capitals come at the start of a sentence, in "I" and its contractions, after an opening quote, in weekdays
and months (march, may and august: in full dates); not after a decimal point, and not after an abbreviation.

"""

_MODES: Final = """
`dictation` is prose. `code` has a table of its own as well, below, and puts no capitals; the mark with which the
model ends a sentence goes, a letter by itself is small, and a number beside an operator, a bracket, a comma or a
keyword such as "return" is digits. In `verbatim` every word is a word. In `spelling` words
are letters, and a word that a letter is likened to is not written ("b as in boy"). In `command` only commands are
heard, and nothing else is typed. A mode can also be chosen with `sottovoce mode`, or by the application that has the
focus: [operations.md](operations.md#modes).
"""

_LEARN: Final = """
## Words of your own, and snippets

What the model mishears, and what you want written for a few words, it learns:

```sh
{learned}```

A name is then also found where it is misheard in another way; a word of the language never becomes one by its sound. A
snippet is written as it is, with its own lines and capitals. `sottovoce learn --utterance 12` learns from what you put
right in an utterance of the history, `sottovoce corrections list` shows all of it, with how often it was used:
[operations.md](operations.md#corrections). "Um" and the like go, and `[transform] profanity = "mask"` writes "f***".

"""

_EDITED: Final = """
At the end of an utterance an edit is first of all done to that utterance. It reaches what Sottovoce has typed, if the
window still has the focus, for as long as `[edits] within` says; `[edits] enabled = false` makes words of all edits.
"""
_KEY_NAMES: Final = {"Return": "Enter", "Prior": "Page Up", "Next": "Page Down", "space": "Space"}
_FUNCTION_KEY: Final = re.compile(r"F[0-9]+")

_OWN: Final = """
## Rules of your own

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


def _examples(transformer: Transformer) -> str:
    lines = ["## Four examples\n\n```console\n"]
    for said in EXAMPLES:
        quoted = f'"{said}"' if "'" in said else said
        lines.append(f"$ sottovoce transform {quoted}\n{transformer.apply(said, Context(), numbers='explicit')[0]}\n")
    return "".join([*lines, "```\n\n"])


def _tried(transformer: Transformer, said: Iterable[str], *, mode: Mode = "dictation") -> str:
    """Return a table of what the transform makes of utterances, each on an empty page."""
    context = Context(mode=mode)
    rows = [(text, _one_line(transformer.apply(text, context, numbers="explicit")[0])) for text in said]
    return _table(("for example", "writes"), rows)


def _how(transformer: Transformer) -> str:
    return "## What counts as said\n\n" + _tried(transformer, _HEARD) + _HOW


def _numbers(transformer: Transformer) -> str:
    told = (
        f"{_said(sorted(TRIGGERS))} are commands: they go, and digits follow. {_said(sorted(CONTEXT))} stay, and the "
        'number after them is digits. As verbs they are words ("we release two builds"). Besides, years, decades, full '
        "dates, and three or more numbers with points between them are written as digits where nothing else can be "
        "meant, and what the model has already written as "
        'digits stays as it is. All that is `[transform] numbers = "explicit"`, the default. With `"natural"` digits '
        'are written wherever people write them; `"off"` leaves all numbers words.'
    )
    rows = []
    for text in _NUMBERS:
        explicit, natural = (transformer.apply(text, Context(), numbers=mode)[0] for mode in ("explicit", "natural"))
        rows.append((text, explicit, "the same" if natural == explicit else natural))
    return f"\n## Numbers\n\n{_filled(told)}\n\n" + _table(("said", "explicit", "natural"), rows)


def _escapes(transformer: Transformer, *, english: bool) -> str:
    rules = transformer.rules
    numbers = " or a number" if english else ""
    told = (
        f"{_said(rules.escape)}, said before a command{numbers}, makes its words plain words, however many they are, "
        "and is itself not written."
    )
    if rules.not_behind:
        told += ' Where they are words themselves ("as they say", "he took it literally") they stay.'
    if rules.reporting:
        told += f" After {_said(rules.reporting)} an opening mark stays a command."
    return _filled(told) + "\n" + ("\n" + _tried(transformer, _ESCAPED) if english else "")


def _edits(rules: Rules) -> str:
    if not rules.edit:
        return ""
    done = [
        (_said(edit.spoken), EDITS[edit.does], "" if edit.does == "press" else _WHERE[edit.only]) for edit in rules.edit
    ]
    told = (
        "Keys are pressed only with `[edits] keys = true`; else these are words. Before a letter, a figure or one of "
        f"the keys below may stand {_said(rules.modifiers)}."
    )
    return (
        f"\n## Edits\n\n{_table(('said', 'does', 'where'), done)}{_EDITED}\n{_filled(told)}\n\n"
        f"{_table(('said', 'key'), _keys(rules))}"
    )


def _keys(rules: Rules) -> list[tuple[str, str]]:
    """Return what is said for each key, and the key; the function keys, which are counted, in one row."""
    keys: dict[str, list[str]] = {}
    for phrase, key in rules.keys.items():
        keys.setdefault(key, []).append(phrase)
    counted = [key for key in keys if _FUNCTION_KEY.fullmatch(key)]
    rows = [(_said(spoken), _KEY_NAMES.get(key, key)) for key, spoken in keys.items() if key not in counted]
    if counted:
        first, last = counted[0], counted[-1]
        rows.append((f"{_said(keys[first])} to {_said(keys[last])}", f"{first} to {last}"))
    return rows


def _corrections(transformer: Transformer) -> str:
    corrections = Corrections.of_language(_LEARNED, "en")
    rows = [
        (text, _one_line(transformer.apply(text, Context(), numbers="explicit", corrections=corrections)[0]))
        for text in _CORRECTED
    ]
    learned = "".join(f"sottovoce learn {_quoted(one.heard)} {_quoted(one.write)}\n" for one in _LEARNED)
    return _LEARN.format(learned=learned) + _table(("for example", "writes"), rows)


def _rules(rules: list[Rule]) -> str:
    rows = []
    for rule in rules:
        where = "; ".join(filter(None, (ONLY[rule.only], rule.note)))
        rows.append((_said(rule.spoken), _written(rule.write), _SPACES[rule.attach], _NEXT[rule.case], where))
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


def _spelling(rules: Rules) -> str:
    letters: dict[str, list[str]] = {}
    for phrase, letter in rules.spelling.items():
        letters.setdefault(letter, []).append(phrase)
    return _table(("said", "writes"), [(_said(spoken), _written(letter)) for letter, spoken in letters.items()])


def _said(spoken: Iterable[str]) -> str:
    return ", ".join(f"`{phrase}`" for phrase in spoken)


def _written(write: str) -> str:
    if write in SHOWN:
        return SHOWN[write]
    for end in BREAKS:
        if write.endswith(end):
            return f"{_written(write.removesuffix(end))} and {SHOWN[end]}"
    if not write.strip():
        return "space" if write else "nothing"
    fence = "`` " if "`" in write else "`"
    if "``" in write:
        fence = "```` "
    return f"{fence}{write}{fence[::-1]}".replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return text.replace("\n", " ⏎ ").replace("|", "\\|").strip()


def _quoted(text: str) -> str:
    if "\n" in text:
        return "$'" + text.replace("\n", "\\n") + "'"
    return f"'{text}'" if " " in text else text


def _filled(text: str) -> str:
    """Return a paragraph in lines of the page's length, with what stands in backticks whole."""
    filled = textwrap.fill(_SPAN.sub(lambda span: span[0].replace(" ", "\0"), text), 119, break_on_hyphens=False)
    return filled.replace("\0", " ")
