"""What the engines on a server have in common: what an address may be, and what is asked of the options."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import EngineSettings
from sottovoce.models.exceptions import EngineFailed

Options = Mapping[str, str | int | float | bool]
_LONGEST_REASON = 200


def address(entry: Entry, schemes: tuple[str, ...]) -> SplitResult:
    """Return the parts of the entry's `url`, which has a host, and no name and password.

    Raises:
        EngineFailed: it is not such a URL.
    """
    try:
        url = urlsplit(entry.url)
        _ = url.port  # which is looked at only now
    except ValueError as error:
        raise EngineFailed(f"model {entry.name}: url: {error}; correct the catalogue") from error
    if url.scheme not in schemes or not url.hostname:
        raise EngineFailed(f"model {entry.name}: url must be {' or '.join(f'{s}://host' for s in schemes)}")
    if url.username or url.password:
        raise EngineFailed(f"model {entry.name}: url holds a name or a password; put a token into a file, token_file")
    return url


def require_closed(entry: Entry, url: SplitResult, options: Options) -> None:
    """Refuse to send speech in the clear to another machine, unless the entry says so.

    Raises:
        EngineFailed: the host is not this machine, and option `insecure` is not true.
    """
    if not is_loopback(url.hostname or "") and options.get("insecure") is not True:
        raise EngineFailed(
            f"model {entry.name}: what is said would go to {url.hostname} for everybody to hear; use https, "
            "or set option insecure = true if the network between is yours"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone; nothing is looked up."""
    if host.lower() in ("localhost", "ip6-localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_known(entry: Entry, known: Mapping[str, type]) -> None:
    """Check that the entry has no options but these, each of its type.

    Raises:
        EngineFailed: it has another; says which there are.
    """
    for option, value in entry.options.items():
        kind = known.get(option)
        if kind is None:
            raise EngineFailed(f"model {entry.name}: option {option} is none of {', '.join(sorted(known))}")
        if not (isinstance(value, kind) or (kind is float and isinstance(value, int))) or (
            isinstance(value, bool) and kind is not bool
        ):
            raise EngineFailed(f"model {entry.name}: option {option} must be {kind.__name__}, not {value!r}")


def vocabulary(entry: Entry, settings: EngineSettings) -> tuple[str, ...]:
    """Return the words to be listened for, where the entry says that the model takes them."""
    return settings.hotwords if entry.hotwords == "prompt" else ()


def pcm16(samples: NDArray[np.float32]) -> bytes:
    """Return float32 samples of shape (n,) as signed 16-bit little endian; what is louder than 1.0 is clipped."""
    finite = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    return bytes((np.clip(finite, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())


def reason(text: str, private: tuple[str, ...]) -> str:
    """Return what a server says went wrong, fit for a log; "" where it repeats what it was told to listen for."""
    text = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
    if any(word and word.lower() in text.lower() for word in private):
        return ""
    return text[:_LONGEST_REASON]
