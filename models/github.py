"""Assets of GitHub releases."""

from __future__ import annotations

from sottovoce.models.access import Access
from sottovoce.models.remote_file import Remote
from sottovoce.models.source import GithubSource

_TIMEOUT_S = 30.0
_ACCEPT = "application/vnd.github+json"


def resolve(source: GithubSource, access: Access) -> Remote:
    """Find an asset.

    Public releases need no token and no API, which answers 60 questions an hour. With GITHUB_TOKEN the API is asked,
    the only way to the assets of a private repository; where it does not know better, the public address is used.
    """
    public = f"{access.github}/{source.repository}/releases/download/{source.release}/{source.asset}"
    hint = "is it there, is the catalogue's version right? A private repository needs a token in GITHUB_TOKEN"
    if access.github_token and access.mirror(access.github_api) == access.github_api:
        headers = {"Authorization": f"Bearer {access.github_token}"}
        found, hint = _by_api(source, access, headers, hint)
        if found:
            headers["Accept"] = "application/octet-stream"
            return Remote(found, size=source.size, sha256=source.sha256, headers=headers, hint=hint)
    return Remote(access.mirror(public), size=source.size, sha256=source.sha256, hint=hint)


def _by_api(source: GithubSource, access: Access, headers: dict[str, str], hint: str) -> tuple[str, str]:
    import httpx2

    url = f"{access.github_api}/repos/{source.repository}/releases/tags/{source.release}"
    try:
        answer = httpx2.get(url, headers=headers | {"Accept": _ACCEPT}, timeout=_TIMEOUT_S, follow_redirects=True)
        if answer.status_code != 200:
            return "", f"{hint} (with the one that is there, the API answers {answer.status_code})"
        for asset in answer.json()["assets"]:
            if asset["name"] == source.asset and str(asset["url"]).startswith(f"{access.github_api}/"):
                return str(asset["url"]), hint
    except (httpx2.RequestError, ValueError, KeyError, TypeError):
        pass  # the public address is tried next, and says what is wrong where that fails, too
    return "", hint
