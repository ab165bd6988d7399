"""What a user's rules make of the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.actors.transform import Context, RulesError, Transformer
from sottovoce.actors.transform.rulebook import own


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return where the test writes its rules."""
    path = own(tmp_path / "config.toml", "en")
    path.parent.mkdir()
    return path


def typed(mine: Path, text: str, context: Context | None = None) -> str:
    """Return what is written with the user's rules over the English ones."""
    return Transformer.load("en", own=mine).apply(text, context or Context())[0]


def test_rules_are_beside_the_configuration(tmp_path: Path) -> None:
    """Each language has a file of its own in `rules`, beside `config.toml`."""
    assert own(tmp_path / "config.toml", "de") == tmp_path / "rules" / "de.toml"


def test_no_file_is_the_shipped_rules(mine: Path) -> None:
    """Who has no rules has the shipped ones."""
    assert typed(mine, "hello comma world") == "Hello, world"


def test_a_phrase_of_ones_own_replaces_the_shipped_meaning(mine: Path) -> None:
    """The phrase means what the user's file says, and the other phrases of the shipped rule what they meant."""
    mine.write_text('[[rule]]\nspoken = ["pound sign", "smiley"]\nwrite = "£"\nattach = "right"\n')
    assert typed(mine, "pound sign 5 hash sign 6 smiley 7 comma") == "£5 #6 £7,"


def test_a_shipped_command_is_silenced(mine: Path) -> None:
    """A phrase under `plain` is a plain phrase, whatever the shipped rules say."""
    mine.write_text('plain = ["dash", "all caps"]\n')
    assert typed(mine, "a dash b comma all caps c") == "A dash b, all caps c"


def test_a_toggle_follows_the_rule_in_the_place_of_its_own(mine: Path) -> None:
    """Other marks for the opening and the closing quote are those that `quote` writes by turns."""
    mine.write_text(
        '[[rule]]\nspoken = ["open quote"]\nwrite = "«"\nattach = "right"\n'
        '[[rule]]\nspoken = ["close quote"]\nwrite = "»"\nattach = "left"\n'
    )
    assert typed(mine, "he said quote yes quote and open quote no unquote") == 'He said «yes» and «no"'


def test_a_rule_for_one_mode_leaves_the_others(mine: Path) -> None:
    """A phrase that the user gives a meaning in code keeps the shipped one in dictation."""
    mine.write_text('[[rule]]\nspoken = ["dash"]\nwrite = "--"\nattach = "both"\nmode = ["code"]\n')
    assert typed(mine, "x dash y") == "X - y"
    assert typed(mine, "x dash y", Context(mode="code")) == "x--y"


def test_lists_are_joined(mine: Path) -> None:
    """Words with capitals, letters of the alphabet and modes of one's own stand beside the shipped ones."""
    mine.write_text(
        'capitals = ["Ada"]\nescape = ["verbally"]\n[spelling]\nanton = "a"\n'
        '[[mode]]\nspoken = ["letters please"]\nmode = "spelling"\n[[case]]\nspoken = ["shout"]\ndoes = "upper word"\n'
    )
    assert typed(mine, "for ada on monday verbally comma shout hey") == "For Ada on Monday comma HEY"
    assert typed(mine, "anton bravo", Context(mode="spelling")) == "ab"
    assert Transformer.load("en", own=mine).apply("letters please", Context())[1].mode == "spelling"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('plain = [\n"dash",\n', 2, "end of document"),
        ('plain = ["a"]\nrule = oops\n', 2, "line 2"),
        ('plain = ["a"]\n\nrulez = []\n', 3, "rulez"),
        ('plain = ["a"]\nescape = 3\n', 2, "escape"),
        ('plain = ["ok",\n "Not Ok"]\n', 2, "'Not Ok'"),
        ('\n[[rule]]\nspoken = ["x"]\nwrite = "x"\nattach = "up"\n', 5, "'up'"),
        ('\n[[rule]]\nspoken = ["x."]\nwrite = "x"\nattach = "left"\n', 3, "'x.'"),
        ('[[rule]]\nspoken = ["x"]\nwrite = "x"\nattach = "left"\nmode = []\n', 1, "`mode` is empty"),
        ('[[case]]\nspoken = ["x"]\ndoes = "shout"\n', 3, "'shout'"),
        ('[[mode]]\nspoken = []\nmode = "code"\n', 1, "`spoken` is empty"),
        ('plain = ["x"]\n[[case]]\nspoken = ["x"]\ndoes = "upper word"\n', 3, "two things"),
        ("plain = []\n#\xff", 2, "UTF-8"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(mine: Path, text: str, line: int, reason: str) -> None:
    """The error begins with file and line, so that an editor can go there."""
    mine.write_bytes(text.encode("latin-1"))
    with pytest.raises(RulesError) as caught:
        typed(mine, "x")
    assert str(caught.value).startswith(f"{mine}:{line}: ")
    assert reason in str(caught.value)


def test_marks_of_ones_own_have_their_spaces(mine: Path) -> None:
    """Who writes French between English has its spaces beside the marks that the file names, and only there."""
    mine.write_text('before = { "!" = "\\u202F" }\n')
    assert typed(mine, "Stop! Now? exclamation mark") == "Stop\u202f! Now\u202f!"
