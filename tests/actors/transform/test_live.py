"""Rules that follow their file."""

from __future__ import annotations

from pathlib import Path

import pytest
from stages import Stages

from sottovoce.actors.transform import Context
from sottovoce.actors.transform.live import LiveRules
from sottovoce.actors.transform.rulebook import own
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

SMILEY = '[[rule]]\nspoken = ["smiley"]\nwrite = ":)"\nattach = "none"\n'


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return where the test writes its rules."""
    path = own(tmp_path / "config.toml", "en")
    path.parent.mkdir()
    return path


def live(mine: Path) -> LiveRules:
    """Return the rules as a stage that is started now has them."""
    return LiveRules("en", mine, mine.parents[1] / "state" / "en.toml")


def typed(rules: LiveRules) -> str:
    """Return what is written for a phrase of the user's and a shipped one."""
    return rules.transformer.apply("yes smiley comma no", Context())[0]


def test_without_a_file_there_is_nothing_to_tell(mine: Path) -> None:
    """The shipped rules are in force, and no look says anything."""
    rules = live(mine)
    assert rules.look() is None
    assert typed(rules) == "Yes smiley, no"


def test_what_is_saved_is_in_force_at_the_next_look(mine: Path) -> None:
    """A new file, a changed one and one that goes are each told of once."""
    rules = live(mine)
    mine.write_text(SMILEY)
    told = rules.look()
    assert told is not None
    assert (told.level, typed(rules)) == ("info", "Yes :), no")
    assert rules.look() is None
    mine.write_text(SMILEY.replace(":)", ":-)"))
    assert rules.look() is not None
    assert typed(rules) == "Yes :-), no"
    mine.unlink()
    assert rules.look() is not None
    assert typed(rules) == "Yes smiley, no"


def test_a_wrong_file_leaves_the_rules_from_before(mine: Path) -> None:
    """It is refused with file, line and reason, once; mended, it is in force."""
    mine.write_text(SMILEY)
    rules = live(mine)
    rules.look()
    mine.write_text(SMILEY + SMILEY.replace("none", "above").replace("smiley", "frown"))
    told = rules.look()
    assert told is not None
    assert told.level == "warning"
    assert f"{mine}:8: rule 2 ('frown'): " in told.text
    assert "'above'" in told.text
    assert "it may be 'both', 'left', 'none', 'right'" in told.text
    assert rules.look() is None
    assert typed(rules) == "Yes :), no"
    mine.write_text(SMILEY)
    assert rules.look() is not None


def test_the_rules_from_before_outlive_the_stage(mine: Path) -> None:
    """Whoever is started over a wrong file has the rules that were in force, and those alone."""
    mine.write_text(SMILEY)
    live(mine).look()
    kept = mine.parents[1] / "state" / "en.toml"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    mine.write_text("oops")
    for _ in range(2):
        rules = live(mine)
        told = rules.look()
        assert told is not None
        assert told.text.endswith("; the rules from before stay in force until that is mended")
        assert typed(rules) == "Yes :), no"
    mine.unlink()
    assert live(mine).look() is None
    mine.write_text("oops")
    rules = live(mine)
    told = rules.look()
    assert told is not None
    assert told.text.endswith("; those of Sottovoce alone are in force until that is mended")
    assert typed(rules) == "Yes smiley, no"


def test_rules_that_cannot_be_kept(mine: Path) -> None:
    """They are in force all the same, and a person is told."""
    mine.write_text(SMILEY)
    (mine.parents[1] / "state").touch()
    rules = live(mine)
    told = rules.look()
    assert told is not None
    assert told.text.endswith("they cannot be kept for a restart: File exists")
    assert typed(rules) == "Yes :), no"


def say(journal: Journal, *texts: str) -> None:
    """Enter utterances as the recogniser leaves them."""
    known = len(journal.utterances())
    generation = 1 if known else journal.begin_recording("{}")
    for number, text in enumerate(texts, known):
        journal.segmented(
            generation=generation, stream=1, first=number * 1000, end=number * 1000 + 900, speech_end=number * 1000,
            spoken_ns=now_ns(), position=number * 1000 + 901, wall_ns=0,
        )  # fmt: skip
        assert journal.transcribed(number + 1, text=text, model="tiny")


def test_the_stage_follows_the_file(stages: Stages, journal: Journal, paths: Paths) -> None:
    """Rules saved while the stage runs hold from the next utterance on; wrong ones do not, nor after a kill."""
    path = own(paths.config, "en")
    path.parent.mkdir()
    process = stages.start("transform")
    say(journal, "yes smiley")
    stages.wait_until(lambda: journal.utterance(1).state == "transformed", process)
    path.write_text(SMILEY)
    say(journal, "yes smiley")
    stages.wait_until(lambda: journal.utterance(2).state == "transformed", process)
    path.write_text(SMILEY.replace("none", "above"))
    say(journal, "yes smiley")
    stages.wait_until(lambda: journal.utterance(3).state == "transformed", process)
    process.kill()
    process.wait()
    process = stages.start("transform")
    say(journal, "yes smiley")
    stages.wait_until(lambda: journal.utterance(4).state == "transformed", process)
    assert [row.text for row in journal.utterances()] == ["Yes smiley", *[" yes :)"] * 3]


def test_what_is_switched_on_holds_for_the_next_utterance(stages: Stages, journal: Journal) -> None:
    """An utterance that only switches types nothing, and what it switched on is there for the one after it."""
    process = stages.start("transform")
    say(journal, "hello", "caps on", "loud", "caps off")
    stages.wait_until(lambda: journal.utterance(4).state == "suppressed", process)
    say(journal, "indeed")
    stages.wait_until(lambda: journal.utterance(5).state == "transformed", process)
    assert [journal.utterance(ordinal).text for ordinal in (1, 3, 5)] == ["Hello", " LOUD", " indeed"]
    assert journal.utterance(2).state == "suppressed"
