"""Benches that load models ask first whether there is room, as the service does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sottovoce.models import DoesNotFit
from sottovoce.ops.bench_guard import Judge
from sottovoce.ops.wer_process import Job, hear
from sottovoce.protocol.config import MemoryConfig

MODEL = "moonshine-tiny-en"
REFUSED = r"needs .* of memory, and \[memory\] ram = 1 leaves 1 MB for it"


def test_bench_wer_does_not_load_what_has_no_room(beckett: Path) -> None:
    """The model's child refuses it with the reason, and hears nothing."""
    heard = hear(Job(MODEL, 1, "", [beckett], MemoryConfig(ram=1)))
    assert heard.texts == []
    assert heard.loaded == {}
    assert heard.failed is not None
    assert re.search(REFUSED, heard.failed)


def test_bench_guard_does_not_load_what_has_no_room(beckett: Path) -> None:
    """Nor does the bench of the guard."""
    with pytest.raises(DoesNotFit, match=REFUSED):
        Judge(MODEL, memory=MemoryConfig(ram=1))
