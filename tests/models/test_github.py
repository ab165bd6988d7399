"""Assets of releases, with and without a token."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from modelserver import Page, Site

from sottovoce.models import github
from sottovoce.models.access import Access
from sottovoce.models.download import Downloads
from sottovoce.models.exceptions import SourceFailed
from sottovoce.models.source import GithubSource

SOURCE = GithubSource(repository="a/toy", release="v1", asset="m.onnx")
TAG = "/repos/a/toy/releases/tags/v1"


@pytest.fixture
def there(site: Site, access: Access) -> Access:
    """Reach a GitHub on this machine, with a token."""
    return replace(access, github=site.url, github_api=site.url, github_token="hush")  # noqa: S106


def release(site: Site) -> None:
    """Put a private release there, whose asset is elsewhere."""
    assets = [{"name": "other", "url": f"{site.url}/x"}, {"name": "m.onnx", "url": f"{site.url}/assets/7"}]
    site.page(TAG, json.dumps({"assets": assets}).encode(), kind="application/json")
    site.page("/assets/7", status=302, headers={"Location": f"{site.other}/stored"})
    site.page("/stored", b"weights")


def test_a_public_release_needs_no_token(site: Site, access: Access) -> None:
    """Without a token the public address is used, or its mirror."""
    remote = github.resolve(SOURCE, replace(access, mirrors={"https://github.com": site.url}))
    assert remote.url == f"{site.url}/a/toy/releases/download/v1/m.onnx"
    assert remote.headers == {}


def test_a_private_release_is_reached_with_the_token(site: Site, there: Access, tmp_path: Path) -> None:
    """The token opens the API and is not sent to where the file is stored."""
    release(site)
    (path,) = Downloads(tmp_path, there, lambda *_: None).fetch([github.resolve(SOURCE, there)])
    assert path.read_bytes() == b"weights"
    assert [(request.path, request.headers.get("authorization")) for request in site.requests] == [
        (TAG, "Bearer hush"), ("/assets/7", "Bearer hush"), ("/stored", None),
    ]  # fmt: skip
    assert site.requests[1].headers["accept"] == "application/octet-stream"


def test_a_mirror_of_the_api_gets_no_token(site: Site, there: Access) -> None:
    """With a mirror in the API's place the token stays here."""
    remote = github.resolve(SOURCE, replace(there, mirrors={there.github_api: "https://m.example"}))
    assert (remote.headers, site.requests) == ({}, [])


@pytest.mark.parametrize(
    "page", [Page(status=401), Page(b"{}", kind="application/json"), Page(b"<html>"), Page(b'{"assets": [3]}')]
)
def test_where_the_api_does_not_help_the_public_address_does(site: Site, there: Access, page: Page) -> None:
    """A token that is not good any more, or an answer that is none, does not keep anybody from a public release."""
    site.pages[TAG] = page
    remote = github.resolve(SOURCE, there)
    assert remote.url == f"{site.url}/a/toy/releases/download/v1/m.onnx"
    assert remote.headers == {}


def test_an_asset_elsewhere_gets_no_token(site: Site, there: Access) -> None:
    """An answer that names another host for the asset is not followed with the token."""
    assets = [{"name": "m.onnx", "url": "https://evil.example/7"}]
    site.page(TAG, json.dumps({"assets": assets}).encode(), kind="application/json")
    assert github.resolve(SOURCE, there).headers == {}


def test_what_is_not_there_names_the_token(site: Site, there: Access, tmp_path: Path) -> None:
    """A private repository looks as if it were not there; the text says so, and how the token was taken."""
    site.pages[TAG] = Page(status=401)
    with pytest.raises(SourceFailed, match=r"answers 404 .*GITHUB_TOKEN \(with the one that is there, .* answers 401"):
        Downloads(tmp_path, there, lambda *_: None).fetch([github.resolve(SOURCE, there)])
