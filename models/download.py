"""Files over HTTP: several at once, resumed where they stopped, checked before anybody sees them.

A transfer that breaks is asked for again from its last byte on (RFC 9110 14: `Range`, with `If-Range`, so that bytes of
two versions of a file never meet), after a pause that grows and obeys `Retry-After`. What is written survives the
process. The client is httpx2, which huggingface_hub brings with it: proxies, certificates of the system, redirects that
take no `Authorization` to another host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sottovoce.models import space
from sottovoce.models.access import Access
from sottovoce.models.exceptions import SourceFailed, VerifyFailed
from sottovoce.models.partial import Note, Partial
from sottovoce.models.remote_file import Remote, difference
from sottovoce.models.responses import (
    ELSEWHERE,
    HTML,
    Broken,
    accepted,
    beyond_the_end,
    body,
    continues,
    refused,
    resume,
    web_page,
    words_of,
)

if TYPE_CHECKING:
    import httpx2

_LOOK_EVERY = 32 << 20  # bytes between two looks at the free space
_AGENT = "sottovoce"


Report = Callable[[int, "int | None", str], None]
"""Called with bytes so far of all files, bytes in all (None: unknown), and what is amiss at the moment, or ""."""


class Downloads:
    """Downloads into a folder of partial files.

    Args:
        directory: the folder; it exists.
        access: how servers are reached.
        report: see `Report`.
        unpacked: bytes that will be needed beside the downloads themselves.
    """

    def __init__(self, directory: Path, access: Access, report: Report, unpacked: int = 0) -> None:
        self._directory = directory
        self._access = access
        self._report = report
        self._unpacked = unpacked
        self._partials: dict[Remote, Partial] = {}
        self._totals: dict[Remote, int | None] = {}

    def fetch(self, remotes: Sequence[Remote]) -> list[Path]:
        """Download files and check them; in a thread in which no asyncio loop runs.

        Returns:
            Their paths, in the same order. They stay, and locked, until `discard` or `close`.

        Raises:
            SourceFailed: a server does not give one of them. What came of them is kept for the next time.
            VerifyFailed: one is not what it should be; it is removed.
            NoSpace: there is no room. What came is kept.
            OSError: the disk fails otherwise.
        """
        unique = list(dict.fromkeys(remotes))
        self._totals = {remote: remote.size for remote in unique}
        asyncio.run(self._all(unique))
        return [self._partials[remote].path for remote in remotes]

    def discard(self) -> None:
        """Remove what was downloaded; it is installed, or good for nothing."""
        for partial in self._partials.values():
            partial.discard()

    def close(self) -> None:
        """Let others go on with it."""
        for partial in self._partials.values():
            if not partial.size:
                partial.discard()
            partial.close()
        self._partials.clear()

    async def _all(self, remotes: Sequence[Remote]) -> None:
        import httpx2

        try:
            client = httpx2.AsyncClient(
                follow_redirects=True,
                headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},
                timeout=httpx2.Timeout(30.0, connect=15.0),
            )
        except (ImportError, ValueError) as error:  # a SOCKS proxy without the package for it; not a proxy's address
            raise SourceFailed(f"the proxy that the environment names cannot be used: {error}") from error
        gate = asyncio.Semaphore(self._access.parallel)

        async def one(remote: Remote) -> None:
            async with gate:
                await self._one(client, remote)

        async with client:
            tasks = [asyncio.ensure_future(one(remote)) for remote in remotes]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, client: httpx2.AsyncClient, remote: Remote) -> None:
        partial = await self._take(remote)
        retried = False
        while True:
            resumed = await self._until_whole(client, remote, partial)
            wrong = await asyncio.to_thread(difference, partial.path, remote)
            if not wrong:
                return
            partial.restart(Note())
            if not resumed or retried:
                partial.discard()
                raise VerifyFailed(f"{remote.name} {wrong}; pull again, or tell who publishes it")
            retried = True  # pieces of two versions, where the server names no version: once more, in one piece
            self._tell(f"{remote.name} {wrong} after it was resumed; from the beginning")

    async def _take(self, remote: Remote) -> Partial:
        path = self._directory / remote.key
        while (partial := Partial.take(path)) is None:
            self._tell(f"another process downloads {remote.name}")
            await asyncio.sleep(0.2)
        self._partials[remote] = partial
        return partial

    async def _until_whole(self, client: httpx2.AsyncClient, remote: Remote, partial: Partial) -> bool:
        """Ask until every byte is there; return whether that took more than one piece."""
        failures, furthest, resumed = 0, partial.size, partial.size > 0
        while True:
            try:
                await self._ask(client, remote, partial)
                return resumed
            except Broken as error:
                if partial.size > furthest:  # a server that gives a little each time is waited for as long as it does
                    failures, furthest = 0, partial.size
                failures += 1
                resumed = resumed or partial.size > 0
                retry = self._access.retry
                kept = f"; {partial.size / 1e6:.1f} MB of it are kept for the next pull" if partial.size else ""
                if error.after is not None and error.after > retry.patience:
                    raise SourceFailed(
                        f"{remote.name}: {error}, and asks to be left alone for {error.after:.0f} s; pull again "
                        f"then{kept}"
                    ) from error
                if failures >= retry.attempts:
                    raise SourceFailed(
                        f"{remote.name}: {error}, {failures} times in a row; check the network and pull again{kept}"
                    ) from error
                delay = retry.delay(failures, error.after)
                self._tell(f"{remote.name}: {error}; again in {delay:.1f} s")
                await asyncio.sleep(delay)

    async def _ask(self, client: httpx2.AsyncClient, remote: Remote, partial: Partial) -> None:
        """Make one request and take what it gives.

        Raises:
            Broken: that was not all of it.
        """
        import httpx2

        offset, headers = resume(remote, partial)
        if offset and remote.sha256 and offset == remote.size:
            return  # whole already, and its checksum will tell
        try:
            async with client.stream("GET", remote.url, headers=headers) as response:
                if response.status_code == 416 and offset:
                    beyond_the_end(response, remote, partial)
                    return
                refused(response, remote)
                note = accepted(response, remote)
                if response.status_code == 206:
                    continues(response, partial, offset, note)
                else:
                    partial.restart(note)
                self._totals[remote] = note.total
                self._require_space(partial)
                await self._take_all(response, remote, partial)
        except httpx2.TooManyRedirects as error:
            raise SourceFailed(f"{remote.name}: it redirects in a circle; {ELSEWHERE}") from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
            raise SourceFailed(
                f"{remote.name}: {error}; correct the address in the catalogue or in the mirrors"
            ) from error
        except httpx2.RequestError as error:
            raise Broken(words_of(error, remote.name)) from error
        except OSError as error:
            if error.errno in space.FULL:
                raise space.no_space(error, self._directory) from error
            raise

    async def _take_all(self, response: httpx2.Response, remote: Remote, partial: Partial) -> None:
        looked = partial.size
        async for chunk in body(response):
            if partial.size == 0 and chunk[:64].lstrip().lower().startswith(HTML):
                raise SourceFailed(web_page(remote))
            partial.write(chunk)
            total = partial.note.total
            if total is not None and partial.size > total:
                partial.restart(Note())
                raise SourceFailed(f"{remote.name}: it sends more than the {total} bytes that it has; {ELSEWHERE}")
            if partial.size - looked >= _LOOK_EVERY:
                looked = partial.size
                self._require_space(partial)
            self._tell()
        if partial.note.total is None:
            partial.annotate(msgspec.structs.replace(partial.note, total=partial.size))
            self._totals[remote] = partial.size
        if not partial.whole:
            raise Broken(f"the transfer ended after {partial.size} of {partial.note.total} bytes")

    def _require_space(self, partial: Partial) -> None:
        """Look whether what is missing of this file, and what is to be unpacked, still fits."""
        missing = 0 if partial.note.total is None else partial.note.total - partial.size
        space.require(self._directory, missing + self._unpacked)

    def _tell(self, amiss: str = "") -> None:
        totals = self._totals.values()
        done = sum(partial.size for partial in self._partials.values())
        self._report(done, None if None in totals else sum(total or 0 for total in totals), amiss)
