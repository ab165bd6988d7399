"""How servers that recognise or rewrite are spoken to: what is told them is for them alone, and answers have an end."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from sottovoce.models.engines.elsewhere import is_loopback

if TYPE_CHECKING:
    import httpx2


class TooLong(Exception):
    """An answer has more bytes than anybody wants."""


def client(host: str, token: str, trust: ssl.SSLContext | bool, timeout: httpx2.Timeout | float) -> httpx2.AsyncClient:
    """Return a client for one server, which keeps its connection.

    Args:
        host: the server's name or address.
        token: sent as a bearer with each request; "" for none.
        trust: whose certificates are trusted, see `credentials.trust`.
        timeout: seconds.
    """
    import httpx2

    return httpx2.AsyncClient(
        headers={"Accept-Encoding": "identity", **({"Authorization": f"Bearer {token}"} if token else {})},
        timeout=timeout,
        verify=trust,
        trust_env=not is_loopback(host),  # a proxy has no business with this machine
        follow_redirects=False,  # token, speech and text are for this host
    )


async def read_body(response: httpx2.Response, limit: int) -> bytes:
    """Return the body of an answer.

    Raises:
        TooLong: it has more than `limit` bytes.
    """
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise TooLong
    return bytes(body)
