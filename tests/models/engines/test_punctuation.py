"""Marks: words come back with those that the model gives, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import toys

from sottovoce.models import EngineFailed, load_punctuator

Build = Callable[[str], toys.Toy]


def test_marks_and_capitals_are_added(toy: Build) -> None:
    """The model's marks and capitals are in the text, whatever case it came in; other words stay as they are."""
    punctuator = load_punctuator(*toy("toy-punctuation"))
    assert punctuator.punctuate("hello world") == "Hello, world."
    assert punctuator.punctuate("HELLO wide world") == "Hello, wide world."
    punctuator.close()


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_nothing_gives_nothing(toy: Build, text: str) -> None:
    """A text without words has no marks."""
    assert load_punctuator(*toy("toy-punctuation")).punctuate(text) == ""


def test_a_long_text_is_marked_to_its_end(toy: Build) -> None:
    """More words than the model takes at once are marked all the same."""
    assert load_punctuator(*toy("toy-punctuation")).punctuate(" ".join(["hello"] * 300)).count(",") == 300


def test_it_says_when_it_is_closed(toy: Build) -> None:
    """It may be closed twice, and is of no use then."""
    punctuator = load_punctuator(*toy("toy-punctuation"))
    punctuator.close()
    punctuator.close()
    with pytest.raises(EngineFailed, match="model toy-punctuation is closed"):
        punctuator.punctuate("hello")


def test_what_is_wrong_is_named(toy: Build, tmp_path: Path) -> None:
    """A missing file, a constructor that is none, and a model of another task are refused with their names."""
    entry, directory = toy("toy-punctuation")
    with pytest.raises(EngineFailed, match=r"cnn_bilstm .*model\.onnx is not a file; run: sottovoce models pull"):
        load_punctuator(entry, tmp_path)
    with pytest.raises(EngineFailed, match="has no Vad for marks"):
        load_punctuator(msgspec.structs.replace(entry, constructor="Vad"), directory)
    with pytest.raises(EngineFailed, match=r"toy-ctc .* puts no marks into text"):
        load_punctuator(*toy("toy-ctc"))
