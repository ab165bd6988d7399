"""What shows a server who we are, and us who the server is."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

from sottovoce.models.catalogue import Entry
from sottovoce.models.exceptions import EngineFailed


def token(entry: Entry) -> str:
    """Return the token that option `token_file` or `token_env` leads to, "" where the entry has neither.

    Raises:
        EngineFailed: there is none, or others can read it; the text never has the token.
    """
    file, variable = str(entry.options.get("token_file", "")), str(entry.options.get("token_env", ""))
    if file and variable:
        raise EngineFailed(f"model {entry.name}: options token_file and token_env exclude each other")
    if variable:
        found = os.environ.get(variable, "").strip()
        where = f"the environment variable {variable}"
    elif file:
        path = Path(file).expanduser()
        where = str(path)
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise EngineFailed(f"model {entry.name}: {path} can be read by others; run: chmod 600 {path}")
            found = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise EngineFailed(f"model {entry.name}: the token cannot be read from {path}: {why}") from None
    else:
        return ""
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise EngineFailed(f"model {entry.name}: {where} holds no token: one word of ASCII is expected")
    return found


def trust(entry: Entry) -> ssl.SSLContext | bool:
    """Return whose certificates are trusted: those of option `ca_file`, else True for the system's.

    Raises:
        EngineFailed: the file cannot be read, or holds none.
    """
    file = str(entry.options.get("ca_file", ""))
    if not file:
        return True
    try:
        return ssl.create_default_context(cafile=Path(file).expanduser())
    except OSError as error:  # ssl.SSLError is one
        raise EngineFailed(f"model {entry.name}: option ca_file: {file}: {error}") from error
