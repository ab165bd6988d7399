"""What the commands fail with, and the exit code of each (docs/operations.md has the table for users)."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_USAGE = 2  # Typer's own
EXIT_UNREACHABLE = 3
EXIT_BAD_INPUT = 4
EXIT_CONFIGURATION = 5
EXIT_NOT_FETCHED = 6
EXIT_NOT_SOUND = 7

# By name, most special first: importing the classes would cost `sottovoce toggle` numpy and more.
_CODES = {
    "SupervisorUnreachable": EXIT_UNREACHABLE,
    "ConfigError": EXIT_CONFIGURATION,
    "PathError": EXIT_CONFIGURATION,
    "DownloadFailed": EXIT_NOT_FETCHED,
    "VerifyFailed": EXIT_NOT_SOUND,
    "ImportFailed": EXIT_NOT_SOUND,
    "ModelInUse": EXIT_FAILED,
    "ModelError": EXIT_CONFIGURATION,
    "RulesError": EXIT_CONFIGURATION,
    "AudioFileError": EXIT_BAD_INPUT,
    "ManifestError": EXIT_BAD_INPUT,
    "ShmInsecure": EXIT_CONFIGURATION,
    "ShmNotTmpfs": EXIT_CONFIGURATION,
    "OpsError": EXIT_FAILED,
    "ProtocolError": EXIT_FAILED,
    "ShmError": EXIT_FAILED,
    "ActorError": EXIT_FAILED,
}


class OpsError(Exception):
    """A command could not do what it was asked."""


class ServiceError(OpsError):
    """The service did not start, or did not stop."""


class AlreadyRunning(OpsError):
    """A service runs in this runtime directory, or with this state directory."""


class NotEnough(ServiceError):
    """The machine, or what it allows this user, is too small: memory, disk, open files; the text says how much."""


def exit_code(error: Exception) -> int | None:
    """Return the exit code of an expected error, None for a defect."""
    if getattr(error, "code", None) == "unreachable":
        return EXIT_UNREACHABLE
    names = {base.__name__ for base in type(error).__mro__}
    return next((code for name, code in _CODES.items() if name in names), None)
