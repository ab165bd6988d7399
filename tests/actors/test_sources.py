from __future__ import annotations

import msgspec
import pytest

from sottovoce.actors.sources import AudioFile, Microphone, Source, dump_source, parse_source


@pytest.mark.parametrize("source", [Microphone(), AudioFile("/a b/ç.wav"), AudioFile("x.flac", pace=0.0)])
def test_a_source_survives_the_journal(source: Source) -> None:
    """What the conductor writes is what capture reads."""
    assert parse_source(dump_source(source)) == source


def test_a_file_is_fed_in_real_time_unless_told_otherwise() -> None:
    """The pace may be left out."""
    assert parse_source('{"type": "file", "path": "x.wav"}') == AudioFile("x.wav", pace=1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"type": "tape"}', "tape"),
        ('{"path": "x.wav"}', "type"),
        ('{"type": "file"}', "path"),
        ('{"type": "file", "path": 1}', r"\$.path"),
        ('{"type": "file", "path": "x", "pace": -1}', r"\$.pace"),
        ('{"type": "file", "path": "x", "pace": 1e9}', r"\$.pace"),
        ('{"type": "file", "path": "x", "speed": 2}', "speed"),
        ('{"type": "microphone", "device": 3}', "device"),
        ("[]", "object"),
    ],
)
def test_a_wrong_source_is_named(text: str, said: str) -> None:
    """An error says which key is wrong; a misspelt one is not ignored."""
    with pytest.raises(msgspec.ValidationError, match=said):
        parse_source(text)


def test_sources_are_named_for_people() -> None:
    """The pipeline's state shows the file's path, or the microphone."""
    assert str(AudioFile("/x.wav")) == "/x.wav"
    assert str(Microphone()) == "microphone"
