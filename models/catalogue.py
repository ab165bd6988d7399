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
from sottovoce.models.guard_settings import GuardSettings
from sottovoce.models.source import Sha256, Size, Source

# Names become directories and files of the cache, so nothing that could climb out of it is a name.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}$")]
ServerUrl = Annotated[str, msgspec.Meta(pattern=r"^((https?|wyoming)://[^\s/]+\S*)?$")]


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the source holds."""

    name: Name
    """Its name in the model's directory."""
    member: str = ""
    """Its path in the source, below the source's folder, if that is another than `name`."""
    size: Size | None = None
    """Bytes, where that is published."""
    sha256: Sha256 | None = None
    """Where it is published. Else the archive's own checksum vouches for it, or nothing but the way that it came; what
    was installed is known in either case, so that `verify` finds what has changed since."""


class DerivedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file made here from a verified one, by a fixed recipe, hence with a known checksum too."""

    name: Name
    maker: Literal["moonshine-tokens"]
    """A recipe of `derive.py`."""
    input: Name
    size: Size
    sha256: Sha256


class Wer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published word error rate."""

    dataset: str
    percent: Annotated[float, msgspec.Meta(ge=0.0, le=100.0)]
    source: str
    """Who says so: a page or a paper."""
    language: Language = "en"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model."""

    name: Name
    task: Literal["asr", "vad", "turn", "punctuation", "sample"]
    licence: str
    sources: tuple[Source, ...] = ()
    """Best first; none where the engine itself knows its model (`bridge`, `remote`)."""
    files: tuple[ModelFile, ...] = ()
    derived: tuple[DerivedFile, ...] = ()
    about: str = ""
    """One line for people."""
    languages: tuple[Language, ...] = ()
    """ISO 639-1 codes, of ISO 639-3 for what has none there ("yue"); empty where language does not matter."""
    engine: Literal["sherpa", "onnx", "pocketsphinx", "bridge", "remote", "silero", "smart-turn"] | None = None
    streaming: bool = False
    """It hears while one speaks, and gives a hypothesis at any time."""
    memory: int = 0
    """Megabytes that a process with it takes, once it has decoded 30 s; 0 where nobody has measured it. `fit.py`
    estimates it then."""
    wer: tuple[Wer, ...] = ()
    constructor: str = ""
    """sherpa: a class method of `sherpa_onnx.OfflineRecognizer`, or of `OnlineRecognizer` where it is streaming; for a
    task of punctuation a class, `OnlinePunctuation` or `OfflinePunctuation`. onnx: the model's type, as
    `onnx_asr.load_model` names it."""
    arguments: dict[str, Name] = {}
    """sherpa, pocketsphinx: constructor arguments that are files of this model."""
    options: dict[str, str | int | float | bool] = {}
    """The other arguments of the engine; sherpa: "{directory}" stands for the directory of the model's files."""
    command: tuple[str, ...] = ()
    """bridge: the child program and its arguments; "{directory}" stands for the model's files, "{python}" for the
    Python that runs Sottovoce."""
    url: ServerUrl = ""
    """remote: the server, `http://host:port/v1` or `wyoming://host:port`."""
    language_option: str = ""
    """The option that takes the language to be heard, where the model knows several and can be told."""
    hotwords: Literal["", "beam", "prompt"] = ""
    """How it takes a vocabulary: a transducer's beam search, or words before the text; "" where it takes none."""
    guesses_marks: bool = False
    """Its last mark is one, whether or not more will come: it puts a full stop or a comma behind half a sentence."""
    minimum_samples: int = 0
    """Samples at 16 kHz below which the model is not called and the text is empty."""
    guard: GuardSettings = GuardSettings()
    """What counts as invented, for this model."""

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
        if (self.engine in ("sherpa", "onnx")) != bool(self.constructor):
            raise ValueError("constructor belongs to the engines sherpa and onnx, which need one")
        if (self.engine == "bridge") != bool(self.command):
            raise ValueError("command belongs to engine bridge, which needs one")
        if (self.engine == "remote") != bool(self.url):
            raise ValueError("url belongs to engine remote, which needs one")
        if len(set(self.languages)) != len(self.languages):
            raise ValueError("languages names one twice")
        if bool(self.sources) != bool(self.files):
            raise ValueError("sources and files belong together: where the files come from, and which they are")

    @property
    def all_files(self) -> tuple[ModelFile | DerivedFile, ...]:
        """Every file of the installed model."""
        return (*self.files, *self.derived)

    @property
    def size(self) -> int | None:
        """Bytes of the installed model, None where they are not all known."""
        sizes = [file.size for file in self.all_files]
        return None if None in sizes else sum(size or 0 for size in sizes)


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
    # TOML takes [models.tiny-0.6b] for a table "6b" in a table "tiny-0".
    if isinstance(body, dict) and body and all(isinstance(value, dict) for value in body.values()):
        raise CatalogueInvalid(
            f'{path}: models.{name}: a name with a dot in it needs quotes: [models."{name}.{next(iter(body))}"]'
        )
    # Entry by entry, since msgspec writes a key of a mapping as `[...]` and the user needs to know which.
    try:
        return msgspec.convert({**body, "name": name} if isinstance(body, dict) else body, Entry)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        raise CatalogueInvalid(f"{path}: models.{name}{where.rstrip('`')}: {message}") from error
