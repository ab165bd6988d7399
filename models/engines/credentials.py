"""What shows a server who we are, and us who the server is."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping
from pathlib import Path


class NoCredentials(Exception):
    """There is no token, or no certificate, where one should be; the text begins with the setting's name."""


def token(file: str, variable: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the token that a file or a variable of the environment holds, "" where neither is named.

    Args:
        file: setting `token_file`: a file that nobody else may be able to read; "" for none.
        variable: setting `token_env`; "" for none.
        environ: the environment.

    Raises:
        NoCredentials: there is none, others can read it, or both are named; the text never has the token.
    """
    if file and variable:
        raise NoCredentials("token_file and token_env exclude each other")
    if variable:
        found, where = environ.get(variable, "").strip(), f"token_env: the environment variable {variable}"
    elif file:
        where = f"token_file: {file}"
        try:
            path = Path(file).expanduser()
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise NoCredentials(f"{where} can be read by others; run: chmod 600 {path}")
            found = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError, RuntimeError) as error:  # RuntimeError: a home that nobody has
            why = error.strerror if isinstance(error, OSError) else "it is not ASCII, or not a path"
            raise NoCredentials(f"{where} cannot be read: {why}") from None
    else:
        return ""
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise NoCredentials(f"{where} holds no token: one word of ASCII is expected")
    return found


def trust(file: str) -> ssl.SSLContext | bool:
    """Return whose certificates are trusted: those of a file (setting `ca_file`), else True for the system's.

    Raises:
        NoCredentials: the file cannot be read, or holds none.
    """
    if not file:
        return True
    try:
        return ssl.create_default_context(cafile=Path(file).expanduser())
    except (OSError, RuntimeError) as error:  # ssl.SSLError is an OSError
        raise NoCredentials(f"ca_file: {file}: {error}") from error
