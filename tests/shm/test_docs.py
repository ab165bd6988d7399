"""docs/architecture.md tells the truth about the ring's layout."""

from __future__ import annotations

from pathlib import Path

from sottovoce.shm import layout

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


def test_every_word_of_the_layout_is_in_the_page() -> None:
    """Each header and slot word stands in a table with its index, and the tables hold no other word."""
    words = {
        name: value for name, value in vars(layout).items() if name.startswith(("H_", "S_")) and isinstance(value, int)
    }
    rows = [line.split("|")[1:3] for line in PAGE.read_text().splitlines() if line.startswith("|") and "`" in line]
    told = {name.strip().strip("`"): int(word) for word, name in rows if word.strip().isdigit()}
    assert told == words


def test_the_sizes_are_the_real_ones() -> None:
    """The drawing's numbers of slots and bytes are those of the default ring."""
    page = PAGE.read_text()
    assert f"{layout.slots_for(300.0):,} slots for 300 s" in page
    assert f"a slot: {layout.SLOT_BYTES} bytes" in page
    assert layout.file_bytes(layout.slots_for(300.0)) // 2**20 in (18, 19)
