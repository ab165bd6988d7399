"""From one model to another, with the real files of a choice and real threads; what is loaded is a name here."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sottovoce.actors import switch as switching
from sottovoce.actors.switch import Switch
from sottovoce.models import EngineFailed
from sottovoce.protocol import choice as choices
from sottovoce.protocol.choice import Choice
from sottovoce.protocol.config import Config
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.paths import Paths


class Stage:
    """What a stage does with its switch."""

    def __init__(self, paths: Paths, configured: str = "old") -> None:
        self.told: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.switch: Switch[str] = Switch(paths, "final", self._load, lambda _, text: self.told.append(text))
        self.model = self.switch.begin(configured)

    def _load(self, model: str) -> str:
        assert self.go.wait(20)
        if model == "broken":
            raise EngineFailed("model broken: no such file")
        return f"<{model}>"

    def until_settled(self) -> None:
        """Turn until nothing is being loaded."""
        self.turn()
        while self.switch._loading is not None:
            if not self.switch._loading[1].done():
                self.switch._loading[1].exception(20)
            self.turn()

    def turn(self) -> None:
        """Turn once."""
        if (ready := self.switch.turn(self.model)) is not None:
            self.model = ready[0]
            assert ready[1] == f"<{self.model}>"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return paths of an own."""
    return Paths(tmp_path / "run", tmp_path / "state", tmp_path / "config.toml").ensure()


def want(paths: Paths, model: str, before: str = "old") -> None:
    """Choose a model."""
    choices.write(paths, "final", Choice(model=model, before=before))


def state(paths: Paths) -> str:
    """Return how far the choice is."""
    choice = choices.read(paths, "final")
    assert choice is not None
    return choice.state


def test_the_old_one_works_until_the_new_one_is_loaded(paths: Paths) -> None:
    """While it loads, the stage turns on with the old model; then it is changed, once, and the person is told."""
    stage = Stage(paths)
    stage.go.clear()
    want(paths, "new")
    stage.turn()
    stage.turn()
    assert (stage.model, state(paths)) == ("old", "loading")
    stage.go.set()
    stage.until_settled()
    assert (stage.model, state(paths)) == ("new", "trial")
    assert stage.told == ["stt-final uses new from now on"]
    stage.turn()
    assert len(stage.told) == 1


def test_one_that_does_not_load_is_refused(paths: Paths) -> None:
    """The stage goes on with the old model and says why; so does its successor."""
    stage = Stage(paths)
    want(paths, "broken")
    stage.until_settled()
    assert (stage.model, state(paths)) == ("old", "refused")
    assert stage.told == ["stt-final goes on with old: broken is no use (model broken: no such file)"]
    assert Stage(paths).model == "old"


@pytest.mark.parametrize("died", ["loading", "trial"])
def test_who_dies_of_it_goes_back(paths: Paths, died: str) -> None:
    """A stage that finds that its predecessor died while it loaded the model, or soon after, takes the one before."""
    stage = Stage(paths)
    want(paths, "new")
    stage.go.set()
    if died == "loading":
        stage.go.clear()
        stage.turn()
    else:
        stage.until_settled()
    assert state(paths) == died
    successor = Stage(paths)
    stage.go.set()
    assert (successor.model, state(paths)) == ("old", "refused")
    assert "died with it within 60 s" in successor.told[0]


def test_after_a_minute_it_is_kept(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has worked for long enough is no longer on trial, and outlives the process and the service."""
    monkeypatch.setattr(switching, "TRIAL_S", 0.0)
    stage = Stage(paths)
    want(paths, "new")
    stage.until_settled()
    stage.turn()
    assert state(paths) == "kept"
    assert Stage(paths).model == "new"


def test_an_orderly_end_is_no_death(paths: Paths) -> None:
    """A stage that is stopped in that minute begins with the new model, on trial once more."""
    stage = Stage(paths)
    want(paths, "new")
    stage.until_settled()
    stage.switch.close()
    assert state(paths) == "wanted"
    assert Stage(paths).model == "new"
    assert state(paths) == "trial"


def test_chosen_while_nobody_ran_and_of_no_use(paths: Paths) -> None:
    """A model that was chosen before the stage began, and does not load then, gives way to the one before it."""
    want(paths, "broken")
    stage = Stage(paths)
    assert stage.model == "broken"
    assert stage.switch.failed("no such file") == "old"
    assert state(paths) == "refused"
    assert stage.switch.failed("again") is None


def test_the_configuration_has_the_word_where_nothing_was_chosen(paths: Paths) -> None:
    """Without a choice, or when it is taken back, what the file says holds; a choice of one role leaves the other."""
    assert Stage(paths, "configured").model == "configured"
    want(paths, "new")
    stt = choices.settled(paths, Config()).stt
    assert (stt.final.model, stt.draft.model) == ("new", Config().stt.draft.model)
    choices.forget(paths, "final")
    assert choices.settled(paths, Config()) == Config()


def test_a_damaged_choice_is_named(paths: Paths) -> None:
    """A file that is no choice is told by its path, with the way out."""
    (paths.state / "model.final.json").write_text('{"model": 3}')
    with pytest.raises(PathError, match=r"model\.final\.json.*--default --role final"):
        choices.settled(paths, Config())


def test_a_stage_that_can_read_nothing_goes_on(paths: Paths) -> None:
    """A choice that cannot be read while the stage runs is told; it neither ends the stage nor spoils its end."""
    stage = Stage(paths)
    (paths.state / "model.final.json").write_text("{")
    stage.turn()
    assert stage.model == "old"
    assert "model.final.json" in stage.told[0]
    stage.switch.close()
    assert Stage(paths, "configured").model == "configured"


def test_the_same_model_again_is_kept_as_it_is(paths: Paths) -> None:
    """To choose what is in use loads nothing."""
    stage = Stage(paths)
    stage.go.clear()
    want(paths, "old")
    stage.turn()
    assert state(paths) == "kept"
    stage.go.set()
