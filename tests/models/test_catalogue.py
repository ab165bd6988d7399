"""The catalogue: ours, the user's on top, and errors that say where."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from sottovoce.models import Catalogue, CatalogueInvalid, Entry, UnknownModel
from sottovoce.models.catalogue import user_catalogue
from sottovoce.models.source import GithubSource, HuggingFaceSource, WheelSource

OURS = tuple(Catalogue.load(Path("/nonexistent")))
ISSUE = {
    "parakeet-tdt-0.6b-v3-int8", "parakeet-tdt-0.6b-v2-int8", "parakeet-tdt_ctc-110m",
    "parakeet-unified-0.6b-streaming", "nemotron-streaming-0.6b-en", "nemotron-3.5-streaming-0.6b", "whisper-tiny",
    "whisper-base", "whisper-small", "whisper-turbo", "whisper-large-v3", "moonshine-tiny-en-v1",
    "moonshine-base-en-v1", "moonshine-tiny-en", "moonshine-base-en", "zipformer-streaming-en-20m",
    "zipformer-streaming-en-2023-06-26", "sense-voice", "qwen3-asr-0.6b", "qwen3-asr-0.6b-int8",
    "canary-180m-flash", "giga-am-v2-ru", "t-one-ru", "pocketsphinx-en-us", "silero-v6", "punctuation-en",
}  # fmt: skip

ENTRY = """
[models.mine]
task = "vad"
engine = "silero"
licence = "MIT"
sources = [{ type = "wheel", requirement = "mine==1.0" }]
files = [{ name = "f.onnx", member = "mine/f.onnx", size = 3, sha256 = "SHA" }]
""".replace("SHA", "0" * 64)


def load(tmp_path: Path, text: str) -> Catalogue:
    """Load a user's catalogue of this text."""
    path = tmp_path / "models.toml"
    path.write_text(text)
    return Catalogue.load(path)


def test_ours_names_the_embedded_models(tmp_path: Path) -> None:
    """Our catalogue holds the VAD, the recogniser and the sample that `make demo` needs."""
    catalogue = Catalogue.load(tmp_path / "none.toml")
    tasks = {"beckett": "sample", "moonshine-tiny-en": "asr", "silero-v6": "vad"}
    assert {name: catalogue[name].task for name in tasks} == tasks
    assert catalogue["moonshine-tiny-en"].sources == catalogue["beckett"].sources  # one download serves both
    assert catalogue.by_task("vad") == (catalogue["silero-v6"],)


def test_what_a_dictation_user_wants_is_there() -> None:
    """Every model that is asked for has an entry."""
    assert {entry.name for entry in OURS} >= ISSUE


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_an_entry_of_ours_is_complete(entry: Entry) -> None:
    """Ours say what one chooses by, and of each file its size and checksum: nothing comes here unchecked."""
    assert entry.about
    assert all(file.size and file.sha256 for file in entry.all_files)
    assert bool(entry.files) == (entry.engine not in ("bridge", "remote"))
    if entry.task == "asr":
        assert entry.languages
        assert entry.wer or entry.engine == "pocketsphinx"  # nobody publishes one for that
        assert {wer.language for wer in entry.wer} <= set(entry.languages)


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_sources_are_pinned(entry: Entry) -> None:
    """An archive is given with its checksum and its folder, a repository at a commit where one is known."""
    for source in entry.sources:
        if isinstance(source, GithubSource):
            assert source.sha256
            assert source.size
            assert source.asset == f"{source.folder}.tar.bz2"
        elif isinstance(source, HuggingFaceSource):
            assert re.fullmatch("main|[0-9a-f]{40}", source.revision)
        else:
            assert isinstance(source, WheelSource)


def _parameters(entry: Entry) -> dict[str, bool]:
    """Return what the constructor of a sherpa entry takes, and whether it must be given."""
    import sherpa_onnx

    if entry.task == "punctuation":
        assert hasattr(sherpa_onnx, entry.constructor)
        assert hasattr(sherpa_onnx, f"{entry.constructor}Config")
        # A class of C++, which has no signature but says it in its documentation.
        said = getattr(sherpa_onnx, f"{entry.constructor}ModelConfig").__init__.__doc__
        overloads = [re.findall(r"(\w+): [\w.:]+( = )?", line) for line in said.splitlines() if "__init__(" in line]
        return {name: not default for name, default in max(overloads, key=len) if name != "self"}
    kind = sherpa_onnx.OnlineRecognizer if entry.streaming else sherpa_onnx.OfflineRecognizer
    signature = inspect.signature(getattr(kind, entry.constructor))
    return {name: one.default is inspect.Parameter.empty for name, one in signature.parameters.items()}


@pytest.mark.parametrize("entry", [e for e in OURS if e.engine == "sherpa"], ids=lambda entry: entry.name)
def test_sherpa_takes_the_arguments(entry: Entry) -> None:
    """sherpa-onnx has the constructor; it knows every argument and option, and misses none that it must have."""
    known = _parameters(entry)
    given = entry.arguments.keys() | entry.options.keys()
    assert given <= known.keys()
    assert {name for name, wanted in known.items() if wanted} <= given
    assert not entry.arguments.keys() & entry.options.keys()
    assert {"num_threads", "provider"} <= known.keys()  # which the engine sets
    if entry.language_option:
        assert entry.language_option in known
    if entry.hotwords == "beam":
        assert {"decoding_method", "modeling_unit", "bpe_vocab"} <= known.keys()
    if entry.hotwords == "prompt":
        assert "hotwords" in known


@pytest.mark.parametrize("entry", [e for e in OURS if e.engine == "onnx"], ids=lambda entry: entry.name)
def test_onnx_asr_knows_the_model(entry: Entry) -> None:
    """onnx-asr knows the type of the model."""
    loader = pytest.importorskip("onnx_asr.loader", reason="run: pip install onnx-asr")
    assert entry.constructor in get_args(loader.AsrNames)


@pytest.mark.parametrize("entry", [e for e in OURS if e.engine == "bridge"], ids=lambda entry: entry.name)
def test_the_child_is_ours(entry: Entry) -> None:
    """A child that an entry of ours starts is a module that we have."""
    assert entry.command[:2] == ("{python}", "-m")
    assert importlib.util.find_spec(entry.command[2]) is not None


def test_the_files_of_pocketsphinx_are_those_of_its_package() -> None:
    """What the catalogue says of the model's files holds for those that the package itself uses."""
    package = pytest.importorskip("pocketsphinx", reason="run: pip install pocketsphinx")
    entry = next(entry for entry in OURS if entry.name == "pocketsphinx-en-us")
    for file in entry.files:
        data = (Path(package.__file__).parents[1] / file.member).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size, file.sha256)


def test_a_user_entry_is_added(tmp_path: Path) -> None:
    """A user's entry stands beside ours."""
    catalogue = load(tmp_path, ENTRY)
    assert "mine" in catalogue
    assert "silero-v6" in catalogue
    assert catalogue["mine"].size == 3


def test_a_user_entry_replaces_ours_whole(tmp_path: Path) -> None:
    """A user's entry of a name of ours takes its place, with nothing of ours left in it."""
    before = Catalogue.load(tmp_path / "none.toml")
    catalogue = load(tmp_path, ENTRY.replace("models.mine", "models.silero-v6"))
    assert len(catalogue) == len(before)
    assert catalogue["silero-v6"].sources[0].title == "mine==1.0"
    assert catalogue["silero-v6"].about == ""


def test_an_unknown_name_suggests_the_near_one() -> None:
    """A name with a slip of the finger is answered with the one that was meant."""
    with pytest.raises(UnknownModel, match=r"'moonshine-tiny'; did you mean moonshine-tiny-en\?"):
        Catalogue.load()["moonshine-tiny"]
    with pytest.raises(UnknownModel, match="models list"):
        Catalogue.load()["zzz"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('task = "vad"', "task = 1", r"models\.mine\.task: Expected `str`"),
        ('task = "vad"', 'task = "tea"', r"models\.mine\.task: Invalid enum value 'tea'"),
        ("size = 3", 'size = "3"', r"models\.mine\.files\[0\]\.size: Expected `int \| null`, got `str`"),
        ("size = 3", "size = 0", r"models\.mine\.files\[0\]\.size"),
        ("0" * 64, "0" * 63, r"models\.mine\.files\[0\]\.sha256"),
        ('licence = "MIT"', "", r"models\.mine: .*`licence`"),
        ('licence = "MIT"', 'licence = "MIT"\nflavour = "sour"', r"models\.mine: .*flavour"),
        ("models.mine", "models.'../up'", r"models\.\.\./up\.name"),
        ('name = "f.onnx"', 'name = "../f.onnx"', r"files\[0\]\.name"),
        ("mine==1.0", "mine", r"sources\[0\]\.requirement"),
        ("mine==1.0", "--index-url=http://evil==1", r"sources\[0\]\.requirement"),
        ('type = "wheel"', 'type = "torrent"', r"sources.*torrent"),
        ('engine = "silero"', 'engine = "sherpa"', "constructor belongs to the engines sherpa"),
        ('engine = "silero"', 'engine = "silero"\narguments = { x = "g.onnx" }', "argument x names g.onnx"),
        ('engine = "silero"', 'engine = "silero"\nlanguages = ["EN"]', r"languages\[0\]"),
        ('engine = "silero"', 'engine = "silero"\nlanguages = ["en", "en"]', "languages names one twice"),
        ('engine = "silero"', 'engine = "bridge"', "command belongs to engine bridge"),
        ('engine = "silero"', 'engine = "remote"\nurl = "ftp://host/v1"', r"models\.mine\.url"),
        ('engine = "silero"', 'engine = "silero"\nurl = "http://host/v1"', "url belongs to engine remote"),
        ("models.mine", "models.mine-0.6b", r'quotes: \[models\."mine-0\.6b"\]'),
        ("[models.mine]", "[modells.mine]", "modells: not a key"),
        ("[models.mine]", "[models.mine", r"models\.toml: "),
    ],
)
def test_an_error_bears_file_and_path(tmp_path: Path, old: str, new: str, says: str) -> None:
    """What is wrong with an entry is said with the file, the entry and the key, in one line."""
    assert old in ENTRY
    with pytest.raises(CatalogueInvalid, match=says) as caught:
        load(tmp_path, ENTRY.replace(old, new, 1))
    assert str(tmp_path / "models.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["models = 3", "[models]\nmine = 3"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """A value where a table belongs is an error, not a crash."""
    with pytest.raises(CatalogueInvalid, match="models"):
        load(tmp_path, text)


def test_derived_files_must_have_their_input(tmp_path: Path) -> None:
    """A derived file made from nothing is refused when the catalogue is read, not when it is pulled."""
    derived = f'derived = [{{ name = "t", maker = "moonshine-tokens", input = "q", size = 1, sha256 = "{"0" * 64}" }}]'
    with pytest.raises(CatalogueInvalid, match="made from q, which is not in files"):
        load(tmp_path, ENTRY + derived)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Two files that would overwrite each other are refused."""
    text = ENTRY.replace(
        "files = [", 'files = [{ name = "f.onnx", member = "x", size = 3, sha256 = "' + "0" * 64 + '" }, '
    )
    with pytest.raises(CatalogueInvalid, match="two files have the same name"):
        load(tmp_path, text)


def test_the_user_file_follows_xdg(tmp_path: Path) -> None:
    """$XDG_CONFIG_HOME counts where it is absolute; a relative one is ignored, as its specification says."""
    home = str(tmp_path)
    assert user_catalogue({"HOME": home, "XDG_CONFIG_HOME": "/etc/xdg"}) == Path("/etc/xdg/sottovoce/models.toml")
    assert user_catalogue({"HOME": home, "XDG_CONFIG_HOME": "odd"}) == tmp_path / ".config/sottovoce/models.toml"
    assert user_catalogue({"HOME": home}) == tmp_path / ".config/sottovoce/models.toml"


def test_the_examples_of_the_documentation_are_entries(tmp_path: Path) -> None:
    """Every example in docs/models.md can be copied into a user's catalogue as it is."""
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    catalogue = load(tmp_path, "\n".join(examples))
    mine = [entry for entry in catalogue if entry.name not in {ours.name for ours in OURS}]
    assert {entry.engine for entry in mine} >= {"sherpa", "bridge", "remote"}
