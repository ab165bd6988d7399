"""Fixtures for every test, and who runs which."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from schedule import NICE, Schedule, in_real_time

if TYPE_CHECKING:
    from xdist.remote import Producer

# The suite has 15 minutes on two cores; `make fuzz` looks for longer. A worker that gives way to others may stand still
# for half a second, so no example has a deadline.
settings.register_profile("suite", max_examples=50, deadline=None)
settings.load_profile("suite")

pytest_plugins = ("desktop",)  # tests/desktop.py; pyproject.toml puts this folder on the path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Schedule | None:
    """Tests in real time are not run three at a time on two cores."""
    return Schedule(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give way to the tests in real time; a process that has done so cannot take it back, nor will it have to."""
    if os.environ.get("PYTEST_XDIST_WORKER") and not in_real_time(item.nodeid) and os.nice(0) < NICE:
        os.nice(NICE)
