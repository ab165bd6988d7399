"""What an edit takes back, by the rows that the journal has."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sottovoce.actors.inject.edits import EditRefusedError, Plan, plan, stands_after
from sottovoce.protocol.clocks import boot_id, now_ns, suspended_ns
from sottovoce.protocol.rows import SCRATCHED, Edit, UtteranceRow

NONE: dict[str, Any] = dict.fromkeys(
    ("reason", "turn", "heard", "mend", "plain", "mended", "model", "before", "stands", "edit", "transcribed_ns",
     "transformed_ns", "intent_ns")
)  # fmt: skip


def row(ordinal: int, text: str | None, **more: Any) -> UtteranceRow:
    """Return an utterance that was typed just now, or when the first test began, which may be minutes ago."""
    fields: dict[str, Any] = {
        "ordinal": ordinal, "stream": 1, "first": ordinal, "end": ordinal, "speech_end": ordinal, "generation": 1,
        "boot": boot_id(), "state": "typed", "text": text, "backend": "file", "place": "here",
        "spoken_ns": now_ns(), "asleep_ns": suspended_ns(), "wall_ns": 0, "segmented_ns": now_ns(),
        "typed_ns": now_ns(),
    }  # fmt: skip
    return UtteranceRow(**{**NONE, **fields, **more})


def edited(ordinal: int, edit: Edit, **more: Any) -> UtteranceRow:
    """Return an edit that was done."""
    return row(ordinal, "", edit=msgspec.json.encode(edit).decode(), **more)


def planned(does: str, *rows: UtteranceRow, times: int = 1) -> Plan:
    """Return the plan for an edit after these rows, which are in spoken order."""
    edit = Edit(does=does, times=times)  # type: ignore[arg-type]
    return plan(edit, reversed(rows), within=3600, language="en")


LONG_AGO = now_ns() - 7200 * 10**9  # on a machine that was started since, before it was
ONE, TWO, THREE = row(1, "Hello there."), row(2, " This is"), row(3, " the second.")


@pytest.mark.parametrize(
    ("does", "times", "took"),
    [
        ("scratch", 1, ((3, " the second."),)),
        ("scratch", 2, ((3, " the second."), (2, " This is"))),
        ("scratch", 9, ((3, " the second."), (2, " This is"), (1, "Hello there."))),
        ("word", 1, ((3, " second."),)),
        ("word", 3, ((3, " the second."), (2, " is"))),
        ("sentence", 1, ((3, " the second."), (2, " This is"))),
        ("sentence", 2, ((3, " the second."), (2, " This is"), (1, "Hello there."))),
        ("undo", 1, ((3, " the second."),)),
    ],
)
def test_what_is_taken(does: str, times: int, took: tuple[tuple[int, str], ...]) -> None:
    """Utterances, words, sentences: over their borders where one is used up."""
    found = planned(does, ONE, TWO, THREE, times=times)
    assert (found.took, found.gave, found.backend, found.place) == (took, (), "file", "here")
    standing = {1: "Hello there.", 2: " This is", 3: " the second."}
    after = stands_after(found, standing.get)
    whole = "".join(standing.values())
    assert "".join((standing | after).values()) + found.text == whole


def test_what_was_taken_back_is_gone() -> None:
    """A second edit goes on where the first one stopped, and leaves out what did not come to be typed."""
    rows = (ONE, row(2, " This is", stands=" This"), row(3, " x.", stands=""), row(4, None, state="suppressed"),
            edited(5, Edit(does="scratch", took=((3, " x."),))), row(6, " late", state="late"))  # fmt: skip
    assert planned("scratch", *rows).took == ((2, " This"),)
    assert planned("word", *rows, times=2).took == ((2, " This"), (1, " there."))


def test_undo_of_an_edit() -> None:
    """It brings back what went, in the order in which it stood; undone once more, that goes again."""
    took = ((3, " the second."), (2, " is"))
    back = planned("undo", ONE, edited(4, Edit(does="word", took=took)))
    assert (back.took, back.gave, back.text, back.of) == ((), ((2, " is"), (3, " the second.")), " is the second.", 4)
    assert stands_after(back, {2: " This", 3: ""}.get) == {2: " This is", 3: " the second."}
    again = planned("undo", ONE, edited(5, Edit(does="undo", of=4, gave=back.gave)))
    assert (again.took, again.gave) == (took, ())


@pytest.mark.parametrize(
    ("does", "rows", "why"),
    [
        ("scratch", [], "nothing was typed"),
        ("undo", [], "nothing was done"),
        ("scratch", [row(1, "Hi.", typed_ns=LONG_AGO)], "more than 3600 s ago"),
        ("scratch", [row(1, "Hi.", boot="another")], "more than 3600 s ago"),
        ("word", [ONE, row(2, " Hm.", state="in_doubt")], "utterance 2 may or may not have been typed"),
        ("undo", [ONE, row(2, " Hm.", state="in_doubt")], "utterance 2 may or may not have been typed"),
        ("scratch", [ONE, edited(2, Edit(does="press", keys="Return"))], "a key has been pressed since"),
        ("scratch", [row(1, "ls", edit='{"does":"press","keys":"Return"}')], "a key has been pressed since"),
        ("undo", [ONE, edited(2, Edit(does="press", keys="Return"))], "a pressed key cannot be taken back"),
        ("scratch", [row(1, None)], "keep"),
        (
            "undo",
            [ONE, row(2, None, state="suppressed", reason=SCRATCHED)],
            "it was never typed; sottovoce history retype 2",
        ),
        ("undo", [edited(2, Edit(does="word", took=((1, "a"),)), typed_ns=LONG_AGO)], "more than 3600 s ago"),
    ],
)
def test_what_cannot_be_done(does: str, rows: list[UtteranceRow], why: str) -> None:
    """The reason says what is in the way; nothing beyond that is touched."""
    with pytest.raises(EditRefusedError, match=why):
        planned(does, *rows)


def test_other_windows_are_left_alone() -> None:
    """What was typed elsewhere, or by another back end, is beyond reach."""
    assert planned("scratch", row(1, "Hi."), row(2, " Ho.", place="there"), times=2).took == ((2, " Ho."),)
    assert planned("word", row(1, "Hi.", backend="wtype"), row(2, " Ho."), times=2).took == ((2, " Ho."),)


def test_another_text_than_planned_for() -> None:
    """Where something else stands, nothing is done."""
    with pytest.raises(EditRefusedError, match="utterance 3"):
        stands_after(planned("scratch", THREE), {3: " the first."}.get)
