"""Importing a package's public names on first use (PEP 562).

Eight processes start at once, and each pays for what its packages import: numpy alone is 60 ms and 12 MB a process, and
half of the stages never touch an array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: its `__name__`.
        homes: the public names, by the module of the package that each lives in.
    """
    modules = {name: module for module, names in homes.items() for name in names}

    def getattr_(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return getattr_
