"""Decoding a segment together with what was said before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sottovoce.actors.audiofile import decode_file
from sottovoce.actors.context import ContextDecoder, join, mended, split, unstopped
from sottovoce.models import OfflineEngine, Result, Store, load_engine
from sottovoce.protocol.clocks import SAMPLE_RATE


@pytest.mark.parametrize(
    ("known", "joint", "parts"),
    [
        ("Try again.", "Try again, fail again.", ("Try again,", "fail again.")),
        (
            "And so my fellow-americans.",
            "And so my fellow-americans ask not.",
            ("And so my fellow-americans", "ask not."),
        ),
        (
            "He was an ill man.",
            "He was not an ill man, unless it is so.",
            ("He was not an ill man,", "unless it is so."),
        ),
        ("Try again.", "Try again.", ("Try again.", "")),
        ("Try again.", "Something else entirely was heard here.", None),
        ("one two three", "one two four five", None),
        ("", "Try again.", None),
        ("Try again.", "", None),
    ],
)
def test_split(known: str, joint: str, parts: tuple[str, str] | None) -> None:
    """What is known is found at the beginning, also where a word of it came out otherwise; else nothing is."""
    assert split(known, joint) == parts


@given(known=st.text(max_size=60), joint=st.text(max_size=90))
def test_split_loses_no_word(known: str, joint: str) -> None:
    """Whatever the texts are, both parts together are all words of the joint one."""
    parts = split(known, joint)
    if parts is not None:
        assert " ".join(parts).split() == joint.split()


@pytest.mark.parametrize(
    ("known", "joint", "parts"),
    [
        ("We saw the wood blocks", "the woodblocks, engraved in relief", ("the woodblocks,", "engraved in relief")),
        ("They are at present concerned.", "sent concerned differs.", ("sent concerned", "differs.")),
        ("Ask what you can do for you", "you can do for you, ask what", ("you can do for you,", "ask what")),
        ("all of the old hous", "of the old houses in the village", ("of the old houses", "in the village")),
        ("Try again.", "Try again.", ("Try again.", "")),
        ("Try again.", "Something else entirely was heard here.", None),
        ("all of the arts", "of the crafts in it", None),
        ("what it is like to be being", "Being rather cold hearted", None),
        ("", "Try again.", None),
        ("Try again.", "", None),
        ("...", "...", None),
    ],
)
def test_join(known: str, joint: str, parts: tuple[str, str] | None) -> None:
    """The end of what is known is found at the beginning, from within a word on and however it is spelt."""
    assert join(known, joint) == parts


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("It has been made ami", "Been made amiable", "It has been made amiable"),
        ("the Chinese took in", "Chinese took", "the Chinese took"),
        ("we are at present concerned", "At present concerned,", "we are at present concerned,"),
        ("He went home", "He went home.", "He went home."),
        ("in relief for centuries, but", "Relief for centuries before", "in relief for centuries before"),
        ("He went home", "Home", "He went home"),
        ("He went home", "Something else", "He went home"),
        ("He went home", "", "He went home"),
        ("", "He went", ""),
    ],
)
def test_mended(text: str, known: str, expected: str) -> None:
    """The last words are those of the second hearing, from one that both have on; its first word's capital is not."""
    assert mended(text, known) == expected


@given(known=st.text(max_size=60), joint=st.text(max_size=90))
def test_join_loses_no_word(known: str, joint: str) -> None:
    """Whatever the texts are, both parts together are all words of the joint one."""
    parts = join(known, joint)
    if parts is not None:
        assert " ".join(parts).split() == joint.split()


@given(
    words=st.lists(st.text("abcdefghij", min_size=1, max_size=9), min_size=6, max_size=30, unique=True),
    parted=st.integers(3, 5),
    begun=st.integers(0, 2),
)
def test_join_parts_a_text_where_it_was_parted(words: list[str], parted: int, begun: int) -> None:
    """Of a text that is heard alike twice, all words behind the known ones are new, unless they repeat those."""
    known, joint = " ".join(words[:parted]), " ".join(words[begun:])
    parts = join(known, joint)
    letters = "".join(words[begun:parted])
    alone = "".join(words[:parted]).find(letters) + len(letters) == sum(map(len, words[:parted]))
    if alone and len(letters) >= 6:  # what is shorter may agree by chance
        assert parts == (" ".join(words[begun:parted]), " ".join(words[parted:]))


class Scripted:
    """An engine that hears what it is told to, one text after the other."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = iter(texts)

    @property
    def name(self) -> str:
        """Return what it is."""
        return "scripted"

    def warm_up(self) -> None:
        """Be as warm as before."""

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Return the next text."""
        return Result(text=next(self._texts), language="en", audio_s=len(samples) / sample_rate, decode_s=0.0)

    def close(self) -> None:
        """Hold nothing."""


def silence(first: int, end: int) -> NDArray[np.float32]:
    """Return as many samples as are asked for."""
    return np.zeros(end - first, np.float32)


@pytest.fixture(scope="module")
def engine() -> OfflineEngine:
    """The embedded model."""
    store = Store()
    if not store.installed("moonshine-tiny-en"):
        pytest.skip("run: sottovoce models pull moonshine-tiny-en")
    return load_engine(store.catalogue["moonshine-tiny-en"], store.path("moonshine-tiny-en"))


@pytest.fixture(scope="module")
def jfk() -> NDArray[np.float32]:
    """Somebody who pauses for a second in the midst of a sentence."""
    path = Path(__file__).parents[3] / "shared" / "speech" / "clips" / "jfk.flac"
    if not path.exists():
        pytest.skip("the clips of ../shared/speech are not here")
    return decode_file(path)


def test_a_sentence_that_goes_on(engine: OfflineEngine, jfk: NDArray[np.float32]) -> None:
    """The second piece has its own words, and it is known that it goes on in the sentence of the first."""
    decoder = ContextDecoder(engine.decode)
    samples = lambda first, end: jfk[first:end]  # noqa: E731
    pieces = [(0, round(2.3 * SAMPLE_RATE)), (round(3.1 * SAMPLE_RATE), round(4.5 * SAMPLE_RATE))]
    first = decoder.decode(samples, *pieces[0])
    assert not first.continues
    decoder.remember(*pieces[0], first.text)
    second = decoder.decode(samples, *pieces[1])
    assert second.continues
    assert "fellow" not in second.text.lower()
    assert "ask not" in second.text.lower()
    assert second.audio_s == pytest.approx(1.4, abs=0.01)
    decoder.forget()
    assert not decoder.decode(samples, *pieces[1]).continues


@pytest.mark.parametrize(
    ("text", "joint", "turn", "mend"),
    [
        ("We came.", "We came and saw.", 0.99, ""),
        ("We came.", "We came, and saw.", 0.1, ","),
        ("We came.", "We came, and saw.", 0.9, None),
        ("We came.", "We came, and saw.", None, None),
        ("We came.", "We came. And saw.", 0.1, None),
        ("We came,", "We came and saw.", 0.1, None),
        ("We came.", "They went home with us.", 0.1, None),
    ],
)
def test_a_full_stop_too_many_is_told(text: str, joint: str, turn: float | None, mend: str | None) -> None:
    """The mark that the joint decode has there: none is believed, a comma where the voice was held up."""
    decoder = ContextDecoder(Scripted([joint, "And saw."]).decode)
    decoder.remember(0, SAMPLE_RATE, text, turn=turn)
    decoded = decoder.decode(silence, round(1.5 * SAMPLE_RATE), 3 * SAMPLE_RATE)
    assert decoded.text.lower() == "and saw."
    assert decoded.mend == mend


def test_the_last_word_may_come_out_otherwise() -> None:
    """Where the words before the seam are not those that were heard, letters tell where the new ones begin."""
    decoder = ContextDecoder(Scripted(["Dashwood had then leisure to consider.", "To consider."]).decode)
    decoder.remember(0, SAMPLE_RATE, "Dashwood had then leisured.")
    decoded = decoder.decode(silence, round(1.5 * SAMPLE_RATE), 3 * SAMPLE_RATE)
    assert (decoded.text, decoded.mend) == ("to consider.", "")


def test_what_is_heard_twice_was_said_twice(engine: OfflineEngine) -> None:
    """Words that only the joint decode repeats are written once; those that were said twice, twice."""
    samples = decode_file(Store().path("beckett") / "beckett.wav")
    decoder = ContextDecoder(engine.decode)
    failed, matter = (32_768, 46_592), (54_720, 68_608)  # "failed", whose "Ever" is lost, and "No matter"
    decoder.remember(*failed, text="A failed.")
    assert engine.decode(samples[failed[0] : matter[1]]).text.count("matter") == 2  # what this is about
    assert decoder.decode(lambda first, end: samples[first:end], *matter).text == "No matter."
    twice = np.concatenate([samples[: matter[1]], samples[matter[0] : matter[1]]])
    decoder.forget()
    decoder.remember(*failed, text="A failed.")
    text = decoder.decode(lambda first, end: twice[first:end], matter[0], len(twice)).text
    assert text.lower().count("no matter") == 2


def test_context_has_its_limits(engine: OfflineEngine) -> None:
    """What is too long ago, too long in all, or from before the floor is no context."""
    near, far = (0, 36_800), (round(8.3 * SAMPLE_RATE), 11 * SAMPLE_RATE)
    for limit, before, piece, floor in (
        (10, near, far, 0),
        (3, near, (49_600, 72_000), 0),
        (10, near, (49_600, 72_000), 1),
    ):
        decoder = ContextDecoder(engine.decode, limit_s=limit)
        decoder.remember(*before, "And so my fellow Americans.")
        assert decoder._context(*piece, floor, limit * SAMPLE_RATE) == []


@pytest.fixture(scope="module")
def sentence() -> NDArray[np.float32]:
    """Somebody who reads a long sentence: "... with which we are at present concerned, differs from most ..."."""
    path = Path(__file__).parents[3] / "shared" / "speech" / "clips" / "LJ001-0001.wav"
    if not path.exists():
        pytest.skip("the clips of ../shared/speech are not here")
    return decode_file(path)


CUT = round(4.3 * SAMPLE_RATE)
"""Behind "concerned"."""


def test_a_cut_in_the_midst_of_a_sentence(engine: OfflineEngine, sentence: NDArray[np.float32]) -> None:
    """No full stop comes before it, and behind it a small letter; no word is there twice."""
    decoder = ContextDecoder(engine.decode, limit_s=5)
    samples = lambda first, end: sentence[first:end]  # noqa: E731
    heard = decoder.decode(samples, 0, CUT).text
    assert heard.endswith("concerned.")
    text = decoder.ahead(samples, 0, CUT, len(sentence), heard)
    assert text.rstrip(",").endswith("concerned")
    decoder.remember(0, CUT, text, cut=True)
    assert decoder.decode(samples, CUT, len(sentence)).text.startswith("differs")


def test_what_follows_a_cut_is_no_concern_without_context(engine: OfflineEngine, sentence: NDArray[np.float32]) -> None:
    """With a limit of 0 each segment is decoded alone, cut or not; nor is a mark looked for where nothing follows."""
    samples = lambda first, end: sentence[first:end]  # noqa: E731
    alone = ContextDecoder(engine.decode, limit_s=0)
    assert alone.ahead(samples, 0, CUT, len(sentence), "concerned.") == "concerned."
    alone.remember(0, CUT, "concerned", cut=True)
    assert alone.decode(samples, CUT, len(sentence)).text.startswith("Differs")
    decoder = ContextDecoder(engine.decode)
    assert decoder.ahead(samples, 0, CUT, CUT, "concerned.") == "concerned."
    assert decoder.ahead(samples, 0, CUT, CUT + 1000, "concerned.") == "concerned"


def test_of_a_long_segment_its_end_is_context(engine: OfflineEngine, sentence: NDArray[np.float32]) -> None:
    """Behind a silence, too, what is too long to be heard again is heard from some seconds before its end on."""
    decoder = ContextDecoder(engine.decode, limit_s=7)
    first, end = round(6.2 * SAMPLE_RATE), round(7.9 * SAMPLE_RATE)
    pieces = np.concatenate([sentence[:first], np.zeros(SAMPLE_RATE // 2, np.float32), sentence[first:]])
    samples = lambda first, end: pieces[first:end]  # noqa: E731
    decoder.remember(0, first, decoder.decode(samples, 0, first).text)
    assert decoder._context(first + 8000, end + 8000, 0, 7 * SAMPLE_RATE) == []
    assert decoder._lead(samples, first + 8000, end + 8000, 0, hasty=False) is not None
    text = decoder.decode(samples, first + 8000, end + 8000).text
    assert "most" not in text.lower()
    assert text[0].islower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("That is what it is for.", "That is what it is for"),
        ("We went to the.", "We went to the"),
        ("What is it for?", "What is it for?"),
        ("We went home.", "We went home."),
        ("Yes.", "Yes."),
        ("what it is for", "what it is for"),
    ],
)
def test_a_full_stop_in_doubt(text: str, expected: str) -> None:
    """Behind a word that seldom ends a sentence the recogniser's full stop waits for what follows."""
    assert unstopped(text, "en") == expected


@pytest.mark.parametrize(
    ("first_s", "withheld", "expected"),
    [(1.5, True, "."), (1.5, False, "T"), (0.7, True, "."), (0.7, False, "T")],
    ids=["long silence", "nothing withheld", "the joint decode has it", "it has it, and it stands there"],
)
def test_a_withheld_full_stop_is_written_late(
    engine: OfflineEngine, first_s: float, withheld: bool, expected: str
) -> None:
    """It comes before the next sentence: where the joint decode ends one, or the silence was long; and only then."""
    store = Store()
    if not store.installed("beckett"):
        pytest.skip("run: sottovoce models pull beckett")
    whole = decode_file(store.path("beckett") / "beckett.wav")
    gap = np.zeros(round(first_s * SAMPLE_RATE), np.float32)
    # "No matter." "Try again."
    recording = np.concatenate([whole[55_232:68_608], gap, whole[77_248:91_136]])
    samples = lambda first, end: recording[first:end]  # noqa: E731
    decoder = ContextDecoder(engine.decode)
    length = 68_608 - 55_232
    decoder.remember(0, length, "No matter" if withheld else "No matter.", withheld=withheld)
    text = decoder.decode(samples, length + len(gap), len(recording)).text
    assert text[0] == expected
    assert text.lower().strip(". ") == "try again"
    floored = decoder.decode(samples, length + len(gap), len(recording), floor=1)
    assert floored.text[0] == "T"


def test_behind_a_stop_less_is_heard(engine: OfflineEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who let go of a key waits: with what came before, 5 s are decoded at most, unless that was cut."""
    heard: list[int] = []
    decode = engine.decode
    monkeypatch.setattr(engine, "decode", lambda samples: heard.append(len(samples)) or decode(samples))
    silence = np.zeros(20 * SAMPLE_RATE, np.float32)

    def longest(first: int, end: int, *, hasty: bool, cut: bool = False) -> float:
        decoder = ContextDecoder(engine.decode)
        decoder.remember(0, first, "Try again.", cut=cut)
        heard.clear()
        decoder.decode(lambda start, stop: silence[start:stop], first, end, hasty=hasty)
        return max(heard) / SAMPLE_RATE

    four, five, eight = (seconds * SAMPLE_RATE for seconds in (4, 5, 8))
    assert longest(five, eight, hasty=False) == 8
    assert longest(five, eight, hasty=True) == 3
    assert longest(four, five, hasty=True) == 5
    assert longest(five, eight, hasty=True, cut=True) > 5
