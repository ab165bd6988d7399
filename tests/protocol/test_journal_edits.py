"""What the journal knows of edits: what stands, and in which context it was made."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.rows import UtteranceRow

Open = Callable[..., Journal]


def typed(journal: Journal, text: str, *, to: str = "typed", **more: str | None) -> UtteranceRow:
    """Bring a new utterance to a state and return it."""
    first = len(journal.utterances()) * 1000
    journal.segmented(
        generation=1, stream=1, first=first, end=first + 900, speech_end=first + 800, spoken_ns=now_ns(),
        position=first + 901, wall_ns=0,
    )  # fmt: skip
    ordinal = journal.utterances()[-1].ordinal
    journal.transcribed(ordinal, text="heard", model="tiny")
    journal.transformed(ordinal, text=text, context="{}", **more)
    if to != "transformed":
        journal.intent(ordinal, backend="file")
    if to == "typed":
        journal.typed(ordinal, backend="file", place="there")
    return journal.utterance(ordinal)


def test_what_stands(journal: Open) -> None:
    """All of what was typed, until an edit has taken some of it; of what is under way or in doubt nobody knows."""
    one = journal()
    row = typed(one, "Hello there.", before='{"glue":true}')
    assert (row.standing, row.stands, row.place, row.before) == ("Hello there.", None, "there", '{"glue":true}')
    edit = typed(one, "", to="intent", edit='{"does":"word"}')
    assert edit.standing is None
    assert one.edited(edit.ordinal, backend="file", edit='{"does":"word","took":[[1," there."]]}', stands={1: "Hello"})
    row, edit = one.utterances()
    assert (row.text, row.stands, row.standing) == ("Hello there.", "Hello", "Hello")
    assert (edit.state, json.loads(edit.edit or "")["took"]) == ("typed", [[1, " there."]])
    doubt = typed(one, "Hm.", to="intent")
    one.in_doubt(doubt.ordinal, reason="killed")
    assert one.utterance(doubt.ordinal).standing is None


def test_an_edit_that_was_done_already(journal: Open) -> None:
    """Told again, it changes nothing of what stands."""
    one = journal()
    typed(one, "Hello.")
    edit = typed(one, "", edit='{"does":"scratch"}')
    assert not one.edited(edit.ordinal, backend="file", edit="{}", stands={1: ""})
    assert one.utterance(1).standing == "Hello."


def test_a_mended_text_forgets_its_context(journal: Open) -> None:
    """The context in front of it had the full stop, which is gone."""
    one = journal()
    typed(one, "Hello.")
    row = typed(one, " There.", to="intent", mended=", there.", before='{"mark":"."}')
    one.typed(row.ordinal, backend="file", mended=True)
    assert [row.standing for row in one.utterances()] == ["Hello", ", there."]
    assert one.utterance(row.ordinal).before is None


def test_whether_an_edit_waits(journal: Open) -> None:
    """From the moment it is transformed until it is done or refused."""
    one = journal()
    assert not one.editing()
    typed(one, "Hello.", to="transformed")
    assert not one.editing()
    edit = typed(one, "", to="transformed", edit='{"does":"scratch"}')
    assert journal().editing()
    one.intent(edit.ordinal, backend="file")
    assert one.editing()
    one.refused(edit.ordinal, reason="another window has the focus")
    assert not one.editing()


def test_earlier(journal: Open) -> None:
    """The newest first, as many as are wanted."""
    one = journal()
    for text in "abc":
        typed(one, text)
    assert [row.text for row in one.earlier(3, limit=5)] == ["b", "a"]
    assert [row.text for row in one.earlier(3, limit=1)] == ["b"]


@pytest.mark.parametrize("end", ["typed", "refused"])
def test_nothing_of_an_edit_is_kept(journal: Open, end: str) -> None:
    """Under `keep = "none"` an edit's words go with the rest, and no context is kept with a text."""
    one = journal(keep="none")
    row = typed(one, "", to="intent", edit='{"does":"press","keys":"ctrl+c"}', before='{"mark":"."}')
    assert one.typed(row.ordinal, backend="file") if end == "typed" else one.refused(row.ordinal, reason="no key")
    after = one.utterance(row.ordinal)
    assert (after.heard, after.text, after.edit, after.before) == (None, None, None, None)
