"""The catalogue: ours, the user's on top, and errors that say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.models import Catalogue, CatalogueInvalid, UnknownModel
from sottovoce.models.catalogue import user_catalogue

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
