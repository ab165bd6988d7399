"""Speech to recognise: the sample that the embedded model's wheel carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sottovoce.models import Catalogue, OfflineEngine, load_engine


@pytest.fixture(scope="session")
def speech(real: Callable[[str], Path]) -> NDArray[np.float32]:
    """Return five seconds of a man's voice, float32, 16 kHz: "Ever tried, ever failed, no matter..."."""
    samples, rate = soundfile.read(real("beckett") / "beckett.wav", dtype="float32", frames=80_000)
    assert rate == 16_000
    return np.asarray(samples, np.float32)


@pytest.fixture(scope="session", params=[entry.name for entry in Catalogue.load().by_task("asr")])
def engine(request: pytest.FixtureRequest, real: Callable[[str], Path]) -> Iterator[OfflineEngine]:
    """Load each recogniser of the catalogue that is installed, once."""
    directory = real(request.param)
    loaded = load_engine(Catalogue.load()[request.param], directory)
    yield loaded
    loaded.close()
