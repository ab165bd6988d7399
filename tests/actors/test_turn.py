"""The turn: whether who paused sounds finished, asked without waiting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.actors.segmenter import Pause
from sottovoce.actors.turn import TurnJudge, turn_model
from sottovoce.models import EngineFailed, SmartTurn, Store
from sottovoce.protocol.config import VadConfig
from tests.stages import wait_until

SILENCE = np.zeros(16_000, np.float32)


@pytest.fixture
def judge() -> Iterator[TurnJudge]:
    """Load the default model."""
    if not Store().installed("smart-turn-v3"):
        pytest.skip("run: sottovoce models pull smart-turn-v3")
    made = TurnJudge(VadConfig())
    yield made
    made.close()


def test_an_answer_comes_once(judge: TurnJudge) -> None:
    """One pause is judged at a time; its answer is what the model says, and is given once."""
    pause = Pause(100, 16_100)
    assert judge.idle
    assert judge.answer() is None
    judge.ask(pause, SILENCE)
    judge.ask(Pause(1, 2), SILENCE)  # in vain
    assert not judge.idle
    answers: list[tuple[Pause, float]] = []
    wait_until(lambda: (got := judge.answer()) is not None and not answers.append(got))
    assert answers == [(pause, judge.judge(SILENCE))]
    assert judge.answer() is None
    assert judge.idle


def test_a_fixed_silence_needs_no_judge() -> None:
    """No model is loaded where the silence is a number, or `turn` is empty; nothing is asked, and nothing answers."""
    assert turn_model(VadConfig()) == "smart-turn-v3"
    for config in (VadConfig(endpoint=0.5), VadConfig(turn="")):
        assert turn_model(config) == ""
        judge = TurnJudge(config)
        assert not judge.idle
        judge.ask(Pause(0, 1), SILENCE)
        assert judge.answer() is None
        assert judge.judge(SILENCE) is None
        judge.close()


def test_a_model_that_fails_is_asked_no_more(judge: TurnJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is told once; after it there is no judge."""

    def fail(*_: object) -> float:
        raise EngineFailed("no memory")

    monkeypatch.setattr(SmartTurn, "probability", fail)
    judge.ask(Pause(0, 16_000), SILENCE)

    def told() -> bool:
        try:
            return judge.answer() is not None
        except EngineFailed:
            return True

    wait_until(told)
    assert not judge.idle
    assert judge.answer() is None
