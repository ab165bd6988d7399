"""What is left of the words in the journal's files, byte by byte."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

Open = Callable[..., Journal]
HEARD, TEXT, MENDED = "quizzical zephyrs", "Quixotic zebras.", ", quiescent zebus."
PLAIN = "Quotidian zithers."


def words_in_files(folder: Path, words: list[str]) -> set[str]:
    """Return which of the words are in any file of a folder.

    Another process looks: to close a file of an open database here would drop this process's locks on it.
    """
    found = subprocess.run(
        ["grep", "--recursive", "--text", "--only-matching", "--no-filename", "--fixed-strings", "--file=-", folder],
        input="\n".join(words), capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert found.returncode in (0, 1), found.stderr
    return set(found.stdout.split("\n")) - {""}


def enter(journal: Journal, first: int, *, generation: int = 1, wall_ns: int = 1_000) -> int:
    """Enter an utterance and return its ordinal."""
    journal.segmented(
        generation=generation, stream=1, first=first, end=first + 5, speech_end=first + 4, spoken_ns=now_ns(),
        position=first + 6, wall_ns=wall_ns,
    )  # fmt: skip
    return journal.utterances(limit=1)[0].ordinal


def suppress_segmented(journal: Journal, ordinal: int) -> None:
    """Suppress with the text that was refused."""
    assert journal.suppressed(ordinal, reason="repetition", text=HEARD, model="tiny")


def suppress_transcribed(journal: Journal, ordinal: int) -> None:
    """Suppress after the text was journalled."""
    assert journal.transcribed(ordinal, text=HEARD, model="tiny")
    assert journal.suppressed(ordinal, reason="nothing to type")


def cancel_transcribed(journal: Journal, ordinal: int) -> None:
    """Cancel the recording before the transform."""
    assert journal.transcribed(ordinal, text=HEARD, model="tiny")
    journal.stop_recording(1, cancel=True)


def cancel_transformed(journal: Journal, ordinal: int) -> None:
    """Cancel the recording before its text is typed."""
    assert journal.transcribed(ordinal, text=HEARD, model="tiny")
    assert journal.transformed(ordinal, text=TEXT, context="{}", mended=MENDED, plain=PLAIN)
    journal.stop_recording(1, cancel=True)


def type_it(journal: Journal, ordinal: int) -> None:
    """Go the whole way."""
    assert journal.transcribed(ordinal, text=HEARD, model="tiny")
    assert journal.transformed(ordinal, text=TEXT, context="{}", mended=MENDED, plain=PLAIN)
    assert journal.intent(ordinal, backend="file")
    assert journal.typed(ordinal, backend="file")


def type_at_second_try(journal: Journal, ordinal: int) -> None:
    """Go the whole way with a back end that failed first."""
    assert journal.transcribed(ordinal, text=HEARD, model="tiny")
    assert journal.transformed(ordinal, text=TEXT, context="{}", mended=MENDED, plain=PLAIN)
    assert journal.intent(ordinal, backend="wtype")
    assert journal.nothing_typed(ordinal, reason="no display")
    assert journal.intent(ordinal, backend="file")
    assert journal.typed(ordinal, backend="file")


def mend_it(journal: Journal, ordinal: int) -> None:
    """Go the whole way, and take back the last character of the utterance before."""
    assert journal.transcribed(ordinal, text=HEARD, model="tiny", mend=",")
    assert journal.transformed(ordinal, text=TEXT, context="{}", mended=MENDED, plain=PLAIN)
    assert journal.intent(ordinal, backend="file")
    assert journal.typed(ordinal, backend="file", mended=True)


ENDS = [
    suppress_segmented,
    suppress_transcribed,
    cancel_transcribed,
    cancel_transformed,
    type_it,
    type_at_second_try,
    mend_it,
]


@pytest.mark.parametrize("waiting", [False, True], ids=["nothing waits", "another waits"])
@pytest.mark.parametrize("end", ENDS)
def test_none_keeps_no_word(paths: Paths, journal: Open, end: Callable[[Journal, int], None], waiting: bool) -> None:
    """With keep = "none" no word is in any byte of the files once its utterance has ended, others looking on."""
    one, reader = journal(keep="none"), journal(keep="none")
    generation = one.begin_recording("{}")
    other = enter(one, 1000, generation=generation + 1)
    if waiting:
        assert one.transcribed(other, text="unrelated", model="tiny")
    else:
        assert one.suppressed(other, reason="no words")
    ordinal = enter(one, 0, generation=generation)
    reader.utterances()
    end(one, ordinal)
    assert words_in_files(paths.state, [HEARD, PLAIN, TEXT, MENDED]) == set()
    assert words_in_files(paths.state, ["unrelated"]) == ({"unrelated"} if waiting else set())
    row = reader.utterance(ordinal)
    assert (row.heard, row.plain, row.text, row.mended) == (None, None, None, None)


def test_days_keep_the_words(paths: Paths, journal: Open) -> None:
    """With days to keep, the same search finds the words (so it can find any), and they can be read."""
    one = journal(keep="30d")
    mend_it(one, enter(one, 0))
    assert words_in_files(paths.state, [HEARD, PLAIN, MENDED]) == {HEARD, PLAIN, MENDED}
    assert (one.utterance(1).plain, one.utterance(1).text) == (PLAIN, MENDED)


def test_none_keeps_what_is_offered(journal: Open) -> None:
    """Text that may not have been typed is not erased, though keep is "none": the person may still want it."""
    one = journal(keep="none")
    for first, end in enumerate(("in_doubt", "late")):
        ordinal = enter(one, first * 100)
        one.transcribed(ordinal, text=HEARD, model="tiny")
        one.transformed(ordinal, text=TEXT, context="{}")
        if end == "in_doubt":
            one.intent(ordinal, backend="wtype")
            one.in_doubt(ordinal, reason="time-out")
        else:
            one.late(ordinal, reason="31 s")
        assert one.utterance(ordinal).text == TEXT


# With SQLite 3.40 and these seeds 4, 24 and 14 words were left in pages that had been split, before VACUUM was called.
@pytest.mark.parametrize("seed", [12, 17, 28])
def test_none_after_much_traffic(paths: Paths, journal: Open, seed: int) -> None:
    """After hundreds of long utterances that grew side by side and ended in any order, no word is left."""
    chance = random.Random(seed)
    one = journal(keep="none")
    journal(keep="none").utterances()
    words: list[str] = []
    waiting: list[tuple[int, str]] = []
    for number in range(1, 301):
        text = " ".join(f"w{chance.randrange(16**12):012x}" for _ in range(chance.choice((1, 3, 30, 600))))
        waiting.append((enter(one, number * 10), text))
        while len(waiting) > 40 or (number == 300 and waiting):
            ordinal, text = waiting.pop(chance.randrange(len(waiting)))
            one.transcribed(ordinal, text=text, model="m")
            if chance.random() < 0.5 and number < 300:
                waiting.append((ordinal, text))
                continue
            words += text.split()
            if number == 150:
                assert words_in_files(paths.state, [word for _, text in waiting for word in text.split()])
            assert one.suppressed(ordinal, reason="x")
    assert words_in_files(paths.state, words) == set()
    assert [row.ordinal for row in one.utterances()] == list(range(1, 301))


def test_forget(paths: Paths, journal: Open) -> None:
    """Forgetting deletes what ended before a time, words and all, says how much, and leaves what is under way."""
    one = journal(keep="30d")
    old, new, waiting = (enter(one, first, wall_ns=wall) for first, wall in ((0, 100), (10, 300), (20, 100)))
    for ordinal, word in ((old, "oldword"), (new, "newword"), (waiting, "waitword")):
        assert one.transcribed(ordinal, text=word, model="tiny")
    for ordinal in (old, new):
        assert one.suppressed(ordinal, reason="test")
    assert one.forget(before_wall_ns=100) == 0
    assert one.forget(before_wall_ns=200) == 1
    assert [row.ordinal for row in one.utterances()] == [new, waiting]
    assert words_in_files(paths.state, ["oldword", "newword", "waitword"]) == {"newword", "waitword"}
    assert one.forget(before_wall_ns=10**18) == 1
    assert [row.ordinal for row in one.utterances()] == [waiting]
    assert words_in_files(paths.state, ["oldword", "newword", "waitword"]) == {"waitword"}


def test_ordinals_are_never_used_again(journal: Open) -> None:
    """After forgetting everything, and its space, the next utterance still has a number of its own."""
    one = journal(keep="none")
    type_it(one, enter(one, 0))
    assert one.forget(before_wall_ns=10**18) == 1
    assert enter(one, 10) == 2
