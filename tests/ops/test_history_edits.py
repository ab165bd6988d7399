"""What the history says of texts that were taken back, and of the edits that did it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.history import History, as_dict, as_line, as_page, shown_state
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths


@pytest.fixture
def journal(paths: Paths) -> Iterator[Journal]:
    """A journal with a text that was shortened, one that was taken back, and the edits that did it."""
    opened = Journal(paths.journal(keep="30d"))
    for number, (heard, text, edit) in enumerate(
        [("hello there", "Hello there.", None), ("no", " No.", None), ("Scratch that.", "", '{"does":"scratch"}')], 1
    ):
        opened.segmented(
            generation=1, stream=1, first=number, end=number, speech_end=number, spoken_ns=now_ns(), position=number,
            wall_ns=0,
        )  # fmt: skip
        opened.transcribed(number, text=heard, model="tiny")
        opened.transformed(number, text=text, context="{}", edit=edit)
        opened.intent(number, backend="file")
        if edit is None:
            opened.typed(number, backend="file")
    took = '{"does":"scratch","took":[[2," No."],[1," there."]]}'
    opened.edited(3, backend="file", edit=took, stands={2: "", 1: "Hello"})
    yield opened
    opened.close()


def test_states_and_texts(paths: Paths, journal: Journal) -> None:
    """A text of which something is left shows that; one that was taken back shows what it was, and says so."""
    history = History(paths)
    rows = journal.utterances()
    assert [shown_state(row) for row in rows] == ["typed, cut", "scratched", "edit"]
    assert [history.shown_text(row) for row in rows] == ["Hello", " No.", "Scratch that."]
    assert "scratched" in as_line(rows[1], history.shown_text(rows[1]), 200)


def test_everything_about_them(paths: Paths, journal: Journal) -> None:
    """For programs the state is the journal's, and what stands is beside the text; an edit says what it took."""
    first, second, third = map(as_dict, journal.utterances())
    assert (first["state"], first["text"], first["stands"], first["edit"]) == ("typed", "Hello there.", "Hello", None)
    assert (second["text"], second["stands"]) == (" No.", "")
    assert third["edit"] == {"does": "scratch", "took": [[2, " No."], [1, " there."]]}
    history = History(paths)
    pages = [as_page(row, history.shown_text(row)) for row in journal.utterances()]
    assert "typed:                      Hello there." in pages[0]
    assert "state:                      scratched" in pages[1]
    assert "edit:                       scratch" in pages[2]


def test_what_was_taken_back_can_be_copied(paths: Paths, journal: Journal) -> None:
    """The whole text is there yet for `copy` and `retype`."""
    assert [History(paths).text(number) for number in (1, 2)] == ["Hello there.", " No."]
    with pytest.raises(OpsError, match="utterance 3 has no text"):
        History(paths).text(3)
