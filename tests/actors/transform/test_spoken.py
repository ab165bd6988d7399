"""Command phrases that a speech synthesiser says and the embedded model hears."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.numbers import Mode as Numbers
from sottovoce.models import Store
from sottovoce.ops.transcribe import Transcriber
from sottovoce.protocol.config import Config

ENGLISH = Transformer.load()
SPEECH = Path(__file__).parents[4] / "shared" / "speech"

# What the small model hears of this voice. It takes its "comma" for "common", and its "period" for many things; those
# are for the tests of text. Commas are pauses of the speaker.
PHRASES = (
    ("this is very important exclamation point", "This is very important!"),
    ("the train was late semicolon we waited period", "The train was late; we waited."),
    ("a long winter, dash, a short summer", "A long winter - a short summer."),
    ("the name open parenthesis not mine close parenthesis is known", "The name (not mine) is known."),
    ("she said open quote good morning close quote and left", 'She said "Good morning" and left.'),
    ("she said quote good morning unquote and left", 'She said "Good morning" and left.'),
    ("send it to the office ampersand the bank", "Send it to the office & the bank."),
    ("first line of text new line second line of text", "First line of text\nSecond line of text."),
    ("we came home, new paragraph, the house was empty", "We came home\n\nThe house was empty."),
    ("this is, caps on, very important, caps off, my friend", "This is VERY IMPORTANT my friend."),
    ("the winner is, title case, the great summer", "The winner is The Great Summer."),
    ("title case on, the lord of the rings, title case off, is long", "The Law of the Rings is long."),
    ("she said open quote, are you there, question mark, close quote", 'She said "Are you there?"'),
    ("good morning exclamation mark, how are you question mark", "Good morning! How are you?"),
    ("please see version two point five question mark", "Please see version 2.5?"),
    ("the sum is twenty five percent sign", "The sum is 25%"),
    ("this is literally number five", "This is number five."),
    ("cats versus dogs", "Cats vs. dogs."),
    ("first item, tab, second item", "First item\tsecond item."),
    ("the answer is simple colon we need more time period", "The answer is simple: we need more time."),
    ("turn left, new line, then turn right, new line, then stop", "Turn left\nThen turn right\nThen stop."),
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


@pytest.fixture(scope="module")
def heard_clips(transcriber: Transcriber) -> dict[str, str]:
    """Return what the model hears in the English clips, 5 s of work."""
    manifest = SPEECH / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip("no shared speech beside the checkout; put it at ../shared/speech")
    clips = [json.loads(line) for line in manifest.read_text().splitlines()]
    names = [clip["audio"] for clip in clips if clip["lang"] == "en" and clip["audio"].endswith(".wav")]
    heard = {name: transcriber.transcribe(SPEECH / name).text for name in names}
    assert len(heard) >= 5
    assert all(heard.values())
    return heard


@pytest.mark.parametrize(("said", "page"), PHRASES)
def test_spoken_commands_are_written(transcriber: Transcriber, tmp_path: Path, said: str, page: str) -> None:
    """From sound to text: no word of a command remains, whatever punctuation the model writes around it.

    Whether the model ends with a full stop of its own is not looked at.
    """
    sound = tmp_path / "said.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", said, "-o", sound], check=True, timeout=30)
    heard = transcriber.transcribe(sound).text
    written = ENGLISH.apply(heard, Context(), numbers="explicit")[0]
    assert written.rstrip(".") == page.rstrip("."), heard


@pytest.mark.parametrize("numbers", ["explicit", "natural"])
def test_what_nobody_dictated_stays_as_it_was_heard(heard_clips: dict[str, str], numbers: Numbers) -> None:
    """Of real read speech not a word and not a mark that the model wrote is changed: spaces and capitals alone."""
    for clip, heard in heard_clips.items():
        written = ENGLISH.apply(heard, Context(), numbers=numbers)[0]
        assert "".join(written.split()).casefold() == "".join(heard.split()).casefold(), clip
