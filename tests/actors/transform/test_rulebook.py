"""What a rules file may say, and what is said of one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.actors.transform import Context, RulesError, Transformer
from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.rulebook import Rule, read, shipped

COMMA = '[[rule]]\nspoken = ["comma"]\nwrite = ","\nattach = "left"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the test writes its rules."""
    return tmp_path / "mine.toml"


def test_a_file_of_ones_own_is_used(file: Path) -> None:
    """A rule needs what is said, what is written, and the side on which it sits; all else has a default."""
    file.write_text(COMMA)
    assert Transformer.from_file(file).apply("so comma yes period", Context())[0] == "So, yes period"


def test_the_longest_phrase_wins(file: Path) -> None:
    """Of two commands that begin alike the longer one is heard, if all of it was said."""
    file.write_text(COMMA + COMMA.replace('"comma"', '"comma comma down"').replace('","', '"!"'))
    transformer = Transformer.from_file(file)
    assert transformer.apply("a b comma comma down", Context())[0] == "A b!"
    assert transformer.apply("a b comma comma up", Context())[0] == "A b,, up"


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("plain = []\nrule = oops", ["line 2"]),
        (b"\xff", ["utf-8"]),
        ("rulez = []", ["rulez"]),
        ("plain = 3", ["plain", "array"]),
        (COMMA + 'colour = "red"\n', [":5: rule 1 ('comma')", "colour"]),
        (COMMA + COMMA.replace("left", "above").replace("comma", "colon"), ["rule 2 ('colon')", "above"]),
        ('[[rule]]\nspoken = ["comma"]\nattach = "left"\n', ["rule 1 ('comma')", "write"]),
        (COMMA.replace('["comma"]', "[]"), ["rule 1", "empty"]),
        (COMMA.replace('","', '"\\u0007"'), [":3: rule 1 ('comma')", "control character"]),
        (COMMA.replace('"comma"', '"comma", "Komma"'), ["rule 1 ('comma')", "'Komma'", "lower-case"]),
        (COMMA.replace("comma", "two  spaces"), ["'two  spaces'", "one space"]),
        (COMMA.replace("comma", "comma."), ["'comma.'", "punctuation"]),
        ('plain = [""]', ["plain", "''"]),
        (COMMA + COMMA, ["'comma'", "two things"]),
        ('plain = ["comma"]\n' + COMMA, ["'comma'", "two things"]),
        ('[[toggle]]\nspoken = ["quote"]\nopen = "open quote"\nclose = "close quote"\n', ["'quote'", "'open quote'"]),
        (COMMA + '[[toggle]]\nspoken = ["quote"]\nopen = "comma"\nclose = "comma"\n', ["'quote'", "`opens`"]),
    ],
)
def test_a_wrong_file_is_refused_with_file_rule_and_reason(file: Path, text: str | bytes, reasons: list[str]) -> None:
    """The error names the file, which of its rules is wrong, and why."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RulesError) as caught:
        Transformer.from_file(file)
    for reason in [str(file), *reasons]:
        assert reason in str(caught.value)


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    """A missing file is an error that names it, not a transform without rules."""
    with pytest.raises(RulesError, match=str(file)):
        Transformer.from_file(file)


@pytest.mark.parametrize("language", ["xx", "", "../rules/en"])
def test_a_language_without_rules_is_refused(language: str) -> None:
    """The error lists the languages that there are; a language is a name, never a path."""
    with pytest.raises(RulesError, match=r"there are: .*\ben\b"):
        Transformer.load(language)


def shipped_rules() -> list[tuple[str, Mode, Rule]]:
    """Return each phrase of each language with each mode in which it is a command."""
    rules = read(shipped("en"))
    return [(phrase, mode, rule) for rule in rules.rule for mode in rule.mode for phrase in rule.spoken]


def test_every_command_of_the_shipped_file_is_heard() -> None:
    """No phrase of a shipped rule is hidden by another one: said where it may be, each writes what its rule says."""
    transformer = Transformer(read(shipped("en")))
    for phrase, mode, rule in shipped_rules():
        if rule.only == "address":  # phrases.toml has those
            continue
        before = {"line": "x new line ", "formula": "open bracket " if rule.attach == "right" else "x, "}
        after = " x" if rule.only == "formula" and rule.attach == "none" else ""
        _, _, steps = transformer.explain(f"{before.get(rule.only, 'x, ')}{phrase},{after}", Context(mode=mode))
        assert steps[-1].heard == f"{phrase},"
        assert steps[-1].result == rule.write
