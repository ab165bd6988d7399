"""What the tests of capture share."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.protocol.paths import Paths


@pytest.fixture
def ring(paths: Paths) -> Path:
    """Where a ring may be made."""
    return paths.ring
