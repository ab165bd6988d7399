from __future__ import annotations

import msgspec

from sottovoce.ops.demo import latency_table
from sottovoce.protocol.rows import UtteranceRow

MS = 1_000_000


def row(ordinal: int, state: str, *steps_ms: int) -> UtteranceRow:
    """Return an utterance spoken at 1,000 ms, and segmented, transcribed, transformed and typed so much later."""
    segmented, transcribed, transformed, typed = (1000 * MS + step * MS for step in steps_ms)
    return msgspec.convert(
        {
            "ordinal": ordinal, "stream": 1, "first": ordinal, "end": 2, "speech_end": 2, "generation": 1, "boot": "b",
            "state": state, "reason": None, "turn": None, "heard": None, "mend": None, "plain": None, "text": None,
            "mended": None, "model": None, "backend": None, "edit": None, "before": None, "stands": None, "place": None,
            "spoken_ns": 1000 * MS, "asleep_ns": 0, "wall_ns": 0, "segmented_ns": segmented,
            "transcribed_ns": transcribed, "transformed_ns": transformed, "intent_ns": None, "typed_ns": typed,
        },
        UtteranceRow,
    )  # fmt: skip


def test_the_table_has_each_step() -> None:
    """Medians, 95th percentiles and maxima, in milliseconds, of what was typed alone."""
    rows = [
        row(1, "typed", 500, 510, 512, 515),
        row(2, "typed", 500, 530, 532, 535),
        row(3, "late", 0, 9000, 9000, 9000),
    ]
    table = {line[:28].strip(): line[28:].split() for line in latency_table(rows).splitlines()}
    assert table["Latency, ms"][:3] == ["p50", "p95", "max"]
    assert "2 utterances" in " ".join(table["Latency, ms"])
    assert table["segment end -> transcript"] == ["20.0", "29.0", "30.0"]
    assert table["transcript -> transformed"] == ["2.0", "2.0", "2.0"]
    assert table["transformed -> typed"] == ["3.0", "3.0", "3.0"]
    assert table["segment end -> typed"] == ["25.0", "34.0", "35.0"]
    assert table["end of speech -> typed"] == ["525.0", "534.0", "535.0"]


def test_nothing_typed_is_said() -> None:
    """No figures are made up where there are none."""
    assert latency_table([row(1, "suppressed", 0, 1, 2, 3)]) == "No utterance was typed.\n"
