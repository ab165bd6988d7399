"""What the commands fail with, and the exit code of each (docs/operations.md has the table for users)."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_USAGE = 2  # Typer's own
EXIT_UNREACHABLE = 3
EXIT_BAD_INPUT = 4
EXIT_CONFIGURATION = 5


class OpsError(Exception):
    """A command could not do what it was asked."""


class ServiceError(OpsError):
    """The service did not start, or did not stop."""


class AlreadyRunning(OpsError):
    """A service runs in this runtime directory."""
