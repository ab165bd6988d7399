import pytest

from sottovoce.shm import FRAME_SAMPLES, SAMPLE_RATE, layout


def test_words_have_places_of_their_own() -> None:
    """No two words share a place, and all lie within their header."""
    for prefix, size in (("H_", layout.HEADER_BYTES), ("S_", layout.SLOT_HEADER_BYTES)):
        places = [
            value for name, value in vars(layout).items() if name.startswith(prefix) and not name.endswith("_BYTES")
        ]
        assert len(places) > 5
        assert len(set(places)) == len(places)
        assert all(0 <= 8 * place < size for place in places)


def test_slots_are_aligned() -> None:
    """Every slot begins on a cache line, so its words are aligned and no two slots share a line."""
    assert layout.HEADER_BYTES % 64 == layout.SLOT_BYTES % 64 == 0
    assert layout.CHECKED_OFFSET + layout.META.size == layout.SLOT_HEADER_BYTES


@pytest.mark.parametrize(("seconds", "slots"), [(300.0, 9375), (0.001, 8), (0.25, 8), (1.0, 32), (60, 1875)])
def test_a_ring_holds_what_was_asked_for(seconds: float, slots: int) -> None:
    """There are slots for the seconds asked for, rounded up, and never fewer than eight."""
    assert layout.slots_for(seconds) == slots
    assert slots * FRAME_SAMPLES >= seconds * SAMPLE_RATE


def test_three_hundred_seconds_take_nineteen_mebibytes() -> None:
    """The size of the default ring is what the documentation says."""
    assert round(layout.file_bytes(9375) / 2**20) == 19


@pytest.mark.parametrize(("cursor", "oldest"), [(0, 1), (7, 1), (8, 2), (9, 3), (100, 94)])
def test_the_slot_after_the_cursor_is_given_up(cursor: int, oldest: int) -> None:
    """Of eight slots seven may be read: the writer may be at work on the eighth."""
    assert layout.oldest_seq(cursor, 8) == oldest
