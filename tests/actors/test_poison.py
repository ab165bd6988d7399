"""An utterance on which a stage's own code breaks: real stages, started with one function replaced."""

from __future__ import annotations

import time

from stages import Stages

from sottovoce.actors.fallback import Fallback, forget
from sottovoce.protocol.config import FinalConfig
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

BREAKS = """
from sottovoce.actors.base import run
from sottovoce.actors.transform import Transformer
from sottovoce.actors.transform.stage import Transform
apply = Transformer.apply
def breaks(self, text, context, **more):
    if "xyzzy" in text:
        raise ValueError(text)
    return apply(self, text, context, **more)
Transformer.apply = breaks
run(Transform)
"""
MODEL, SPARE = "big", "moonshine-tiny-en"


def heard(journal: Journal, *texts: str) -> None:
    """Play capture, VAD and recogniser: one utterance for each text."""
    generation = journal.begin_recording('{"type":"microphone"}')
    journal.capture_began(generation, stream=7, first=0)
    for number, text in enumerate(texts):
        journal.segmented(
            generation=generation, stream=7, first=number * 100, end=number * 100 + 90, speech_end=number * 100 + 80,
            position=number * 100 + 95, spoken_ns=time.monotonic_ns(), wall_ns=time.time_ns(),
        )  # fmt: skip
        row = journal.oldest("segmented")
        assert row is not None
        journal.transcribed(row.ordinal, text=text, model="m")


def test_a_text_that_breaks_the_rules_goes_on_as_it_was_heard(stages: Stages, journal: Journal) -> None:
    """The stage lives, the text stands apart from its neighbours, they are transformed, and no log has its words."""
    heard(journal, "hello comma world", "say xyzzy comma now", "and so on period")
    process = stages.spawn("-c", BREAKS)
    stages.wait_until(lambda: journal.oldest("transcribed") is None, process)
    assert [row.text for row in journal.utterances()] == ["Hello, world", " say xyzzy comma now", " and so on."]
    stages.wait_until(lambda: "ValueError at <string>" in stages.log(), process)
    assert process.poll() is None
    assert "xyzzy" not in stages.log()


def test_a_refused_model_stays_refused_until_a_person_asks(paths: Paths) -> None:
    """The decision is for one model, outlives who took it, and is taken back."""
    settings = FinalConfig(model=MODEL, fallback=SPARE)
    assert not Fallback(paths, settings).taken
    told = Fallback(paths, settings).take("which is broken")
    assert told.startswith("moonshine-tiny-en recognises what is typed in the place of big, which is broken; see ")
    assert Fallback(paths, settings).taken
    assert "too" in Fallback(paths, settings).refusal()
    assert not Fallback(paths, FinalConfig(model="other", fallback=SPARE)).taken
    forget(paths)
    assert not Fallback(paths, settings).taken


def test_without_another_model_there_is_no_fallback(paths: Paths) -> None:
    """None is configured, it is the model itself, or there is no such model: each is said."""
    assert "names none" in Fallback(paths, FinalConfig(model=MODEL, fallback="")).refusal()
    assert "no other model" in Fallback(paths, FinalConfig(model=SPARE, fallback=SPARE)).refusal()
    assert "no model is named 'nonsense'" in Fallback(paths, FinalConfig(model=MODEL, fallback="nonsense")).refusal()
