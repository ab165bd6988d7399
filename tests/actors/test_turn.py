"""The turn: whether who paused sounds finished, asked without waiting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from sottovoce.actors.segmenter import Pause
from sottovoce.actors.turn import TurnJudge, turn_model
from sottovoce.models import EngineFailed, SmartTurn, Store
from sottovoce.protocol.config import VadConfig
from tests.stages import wait_until

SILENCE = np.zeros(16_000, np.float32)
NOISE = np.random.default_rng(1).normal(0, 0.1, 16_384).astype(np.float32)


def hear(judge: TurnJudge, start: int, samples: NDArray[np.float32]) -> None:
    """Give the judge these samples in frames, by one buffer that is written over."""
    frame = np.empty(512, np.float32)
    for at in range(0, len(samples) - 511, 512):
        frame[:] = samples[at : at + 512]
        judge.hear(start + at, frame)


def ask(judge: TurnJudge, pause: Pause) -> float:
    """Ask, and wait for the answer."""
    answers: list[tuple[Pause, float]] = []
    judge.ask(pause)
    wait_until(lambda: (got := judge.answer()) is not None and not answers.append(got))
    return answers[0][1]


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
    assert judge.answer() is None
    hear(judge, 0, np.concatenate([NOISE, SILENCE]))
    judge.ask(pause)
    judge.ask(Pause(1, 2))  # in vain
    answers: list[tuple[Pause, float]] = []
    wait_until(lambda: (got := judge.answer()) is not None and not answers.append(got))
    assert answers == [(pause, judge.judge(NOISE[100:16_100]))]
    assert judge.answer() is None


def test_only_what_follows_without_a_gap_is_judged(judge: TurnJudge) -> None:
    """Of a long segment the last 8 s count; of one behind a gap, or a place to go on from, what was heard since."""
    long = np.tile(NOISE, 10)
    hear(judge, 0, long)
    assert ask(judge, Pause(0, len(long))) == judge.judge(long[-128_000:])
    hear(judge, 100_000, NOISE)
    assert ask(judge, Pause(90_000, 100_000 + len(NOISE))) == judge.judge(NOISE)


def test_a_fixed_silence_needs_no_judge() -> None:
    """No model is loaded where the silence is a number, or `turn` is empty; nothing is asked, and nothing answers."""
    assert turn_model(VadConfig()) == "smart-turn-v3"
    for config in (VadConfig(endpoint=0.5), VadConfig(turn="")):
        assert turn_model(config) == ""
        judge = TurnJudge(config)
        hear(judge, 0, SILENCE)
        judge.ask(Pause(0, 1))
        assert judge.answer() is None
        assert judge.judge(SILENCE) is None
        judge.close()


def test_a_model_that_fails_is_asked_no_more(judge: TurnJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is told once; after it there is no judge."""

    def fail(*_: object) -> float:
        raise EngineFailed("no memory")

    monkeypatch.setattr(SmartTurn, "probability", fail)
    hear(judge, 0, SILENCE)
    judge.ask(Pause(0, 16_000))

    def told() -> bool:
        try:
            return judge.answer() is not None
        except EngineFailed:
            return True

    wait_until(told)
    judge.ask(Pause(0, 16_000))
    assert judge.answer() is None
