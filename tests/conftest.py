"""Fixtures for every test, and their order."""

from __future__ import annotations

import pytest

pytest_plugins = ("desktop",)  # tests/desktop.py; pyproject.toml puts this folder on the path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of whole services first: a file of them takes minutes, and the last one would run alone."""
    items.sort(key=lambda item: "system" not in item.path.parts)
