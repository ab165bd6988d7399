"""Command phrases that a speech synthesiser says and the embedded model hears."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.models import Store
from sottovoce.ops.transcribe import Transcriber
from sottovoce.protocol.config import Config

# What the small model hears of this voice. It takes its "comma" for "common", and its "period" for many things; those
# are for the tests of text. Commas are pauses of the speaker.
PHRASES = (
    ("are you coming home tonight question mark", "Are you coming home tonight?"),
    ("this is very important exclamation point", "This is very important!"),
    ("the train was late semicolon we waited period", "The train was late; we waited."),
    ("the winter, semicolon, the summer", "The winter; the summer."),
    ("a long winter, dash, a short summer", "A long winter - a short summer."),
    ("the name open parenthesis not mine close parenthesis is known", "The name (not mine) is known."),
    ("she said open quote good morning close quote and left", 'She said "Good morning" and left.'),
    ("she said quote good morning unquote and left", 'She said "Good morning" and left.'),
    ("send it to the office ampersand the bank", "Send it to the office & the bank."),
    ("first line of text new line second line of text", "First line of text\nSecond line of text."),
    ("we came home, new paragraph, the house was empty", "We came home\n\nThe house was empty."),
    ("this is, caps on, very important, caps off, my friend", "This is VERY IMPORTANT my friend."),
    ("the winner is, title case, the great summer", "The winner is The Great Summer."),
)


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    """Return what hears; it writes every word as a word."""
    if shutil.which("flite") is None:
        pytest.skip("no speech synthesiser; install flite")
    store = Store()
    for model in (Config().stt.final.model, "silero-v6"):
        if not store.installed(model):
            pytest.skip(f"run: sottovoce models pull {model}")
    return Transcriber(Config())


@pytest.mark.parametrize(("said", "page"), PHRASES)
def test_spoken_commands_are_written(transcriber: Transcriber, tmp_path: Path, said: str, page: str) -> None:
    """From sound to text: no word of a command remains, whatever punctuation the model writes around it.

    Whether the model ends with a full stop of its own is not looked at.
    """
    sound = tmp_path / "said.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", said, "-o", sound], check=True, timeout=30)
    heard = transcriber.transcribe(sound).text
    written = Transformer.load().apply(heard, Context())[0]
    assert written.rstrip(".") == page.rstrip("."), heard
