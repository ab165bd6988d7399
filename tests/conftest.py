"""Fixtures for every test, and their order."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The suite has 15 minutes on two cores; `make fuzz` looks for longer.
settings.register_profile("suite", max_examples=50)
settings.load_profile("suite")

pytest_plugins = ("desktop",)  # tests/desktop.py; pyproject.toml puts this folder on the path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of whole services first: a file of them takes minutes, and the last one would run alone."""
    items.sort(key=lambda item: "system" not in item.path.parts)
