"""A model's own limits of the guard, in its catalogue entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.models import CatalogueInvalid, GuardSettings
from sottovoce.models.catalogue import read

ENTRY = '[models.mine]\ntask = "asr"\nlicence = "MIT"\nengine = "bridge"\ncommand = ["x"]\n[models.mine.guard]\n'


def test_a_model_may_have_limits_of_its_own(tmp_path: Path) -> None:
    """What is not named keeps its default."""
    (tmp_path / "models.toml").write_text(f"{ENTRY}log_prob = -1.2\nphrases = false\n")
    assert read(tmp_path / "models.toml")["mine"].guard == GuardSettings(log_prob=-1.2, phrases=False)


@pytest.mark.parametrize("wrong", ["log_prob = 0.5", "repeats = 1", "sure = 2.0", "phrase = false"])
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, wrong: str) -> None:
    """With the entry and the key in the text."""
    (tmp_path / "models.toml").write_text(ENTRY + wrong)
    with pytest.raises(CatalogueInvalid, match=r"models\.mine"):
        read(tmp_path / "models.toml")
