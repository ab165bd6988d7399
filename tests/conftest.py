"""Fixtures for every test."""

from __future__ import annotations

pytest_plugins = ("desktop",)  # tests/desktop.py; pyproject.toml puts this folder on the path
