"""`sottovoce bench transform`: what is said, learned and ruled in it, and what it reports."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.ops import bench_transform as bench
from sottovoce.ops.bench_transform import Speech


@pytest.fixture(scope="module")
def speech() -> Speech:
    """What the first seed draws."""
    return Speech(1)


def test_the_rules_are_sound(speech: Speech) -> None:
    """A hundred of one's own, none like another, which the transform takes and hears."""
    transformer = bench.transformer(speech.rules())
    mine = [rule for rule in transformer.rules.rule if rule.write.startswith("\N{BLACK STAR}")]
    assert len(mine) == bench.RULES
    assert len(transformer.rules.rule) == bench.RULES + len(Transformer.load("en").rules.rule)
    assert transformer.apply(mine[7].spoken[0], Context())[0] == mine[7].write


def test_the_corrections_are_found(speech: Speech) -> None:
    """A thousand of all lengths, half of them by sound; of what is said they fire exactly and by sound."""
    learned = speech.corrections()
    assert len({one.key for one in learned}) == bench.CORRECTIONS
    assert {len(one.heard.split()) for one in learned} == {1, 2, 3, 4, 5}
    assert sum(one.match == "sound" for one in learned) == bench.CORRECTIONS // 2
    corrections, fired = Corrections.of_language(learned, "en"), list[Fired]()
    for text in speech.utterances("prose", learned, 200):
        fired += corrections.apply(text.split(), mode="dictation")[1]
    hows = [hit.how for hit in fired]
    assert min(hows.count("exact"), hows.count("sound")) > 10


def test_utterances_are_of_twenty_words(speech: Speech) -> None:
    """All kinds, drawn anew with another seed and the same with the same one; half of them with an engine's marks."""
    learned = speech.corrections()
    for kind in ("prose", "commands", "numbers"):
        said = speech.utterances(kind, learned, 40)
        assert {len(text.split()) for text in said} == {bench.WORDS}
        assert sum(text.endswith(".") and text[0].isupper() for text in said) == 20
    assert Speech(1).rules() == Speech(1).rules() != Speech(2).rules()


def test_the_report(sottovoce: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """A row for each kind and one for all, in which something was done, with both clocks, and a line of the table."""
    report = json.loads(sottovoce("bench", "transform", "--seeds", "1", "--utterances", "50", "--json").stdout)
    assert [(row["kind"], row["numbers"]) for row in report["rows"]] == list(bench.ROWS)
    for row in report["rows"]:
        assert 0 < row["p50"] <= row["p99"]
        assert 0 < row["processor_p50"] <= row["processor_p99"]
        assert row["corrections"] > 0
        assert (row["commands"] > 50) == (row["kind"] in {"all", "commands"})
        assert (row["numbered"] > 20) == (row["kind"] in {"all", "numbers"})
    lines = bench.render(report).splitlines()
    assert len(lines) == 2 + len(bench.ROWS) + 2
    assert ("not compiled" in lines[-1]) == (not report["compiled"])
