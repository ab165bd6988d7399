"""Where a model's files come from, as the catalogue says it.

A model may name several sources, best first: the next one is asked where one cannot be reached. All of them hold the
same members, in a folder that each names itself.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, msgspec.Meta(gt=0)]
# One pinned release: a URL or an option here would be an argument to pip.
Requirement = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!_-]+$")]
Platform = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]+$")]
Repository = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")]
Segment = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""One step of a path."""
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+/\S*$")]


class WheelSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="wheel"):
    """A wheel of the package index, of which single members are taken; the package is never installed."""

    requirement: Requirement
    """`name==version`."""
    platforms: tuple[Platform, ...] = ()
    """Wheel platform tags, best first, where the wheel has no `any` build. They need not be this machine's: a model is
    data."""

    @property
    def title(self) -> str:
        """What people are shown."""
        return self.requirement


class GithubSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="github"):
    """An archive among the assets of a GitHub release."""

    repository: Repository
    release: Segment
    """The release's tag."""
    asset: Segment
    """`.tar.bz2`, `.tar.gz`, `.tar` or `.zip`; or the file itself, if the model has only one."""
    folder: str = ""
    """The folder in it that holds the members."""
    size: Size | None = None
    """Bytes of the archive, where that is known."""
    sha256: Sha256 | None = None
    """Of the archive, where it is published."""

    @property
    def title(self) -> str:
        """What people are shown."""
        return f"{self.repository} {self.asset}"


class HuggingFaceSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="huggingface"):
    """Files of a repository on the Hugging Face Hub."""

    repository: Repository
    revision: Segment = "main"
    """A commit, where the files are to be those and no others."""
    folder: str = ""

    @property
    def title(self) -> str:
        """What people are shown."""
        return f"hf:{self.repository}"


class UrlSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="url"):
    """An archive, or the one file of a model, anywhere on the web."""

    url: Url
    folder: str = ""
    size: Size | None = None
    sha256: Sha256 | None = None

    @property
    def title(self) -> str:
        """What people are shown."""
        return self.url


class FileSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="file"):
    """A directory or an archive on this machine; it is copied."""

    path: Annotated[str, msgspec.Meta(pattern=r"^[/~]")]
    folder: str = ""
    size: Size | None = None
    sha256: Sha256 | None = None

    @property
    def title(self) -> str:
        """What people are shown."""
        return self.path


Source: TypeAlias = WheelSource | GithubSource | HuggingFaceSource | UrlSource | FileSource
