"""Models to be tried: the real one under other names, and some that are nothing of the kind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sottovoce.models import Catalogue, Entry, Store

REAL, SAMPLE = "moonshine-tiny-en", "beckett"
NAME = f"trial-{os.getpid()}"
"""The name of the model that is tried; of this process alone, so that its children can be told from others'."""
_OURS = Catalogue.load()


def store_with(root: Path, real: Callable[[str], Path], *entries: Entry) -> Store:
    """Return a store in `root` with the sample, the real model, and others that have copies of the real one's files."""
    (root / "models").mkdir(parents=True)
    for name in (REAL, SAMPLE):
        (root / "models" / name).symlink_to(real(name))
    for entry in entries:
        shutil.copytree(real(REAL), root / "models" / entry.name)
    known = (_OURS[REAL], _OURS[SAMPLE], *entries)
    return Store(root, Catalogue({entry.name: entry for entry in known}))


def home(folder: Path, monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> Store:
    """Make a cache and a user's catalogue with these models beside ours, and have them used for the test."""
    known = Store()

    def real(name: str) -> Path:
        if not known.installed(name):
            pytest.skip(f"needs the model {name}; run: sottovoce models pull {name}")
        return known.path(name)

    root = store_with(folder / "cache" / "sottovoce", real, *entries).root
    for name in ("silero-v6", "smart-turn-v3"):
        (root / "models" / name).symlink_to(real(name))
    text = ""
    for entry in entries:
        text += f'[models.{entry.name}]\ntask = "asr"\nengine = "sherpa"\nlicence = "MIT"\nlanguages = ["en"]\n'
        text += f'constructor = "{entry.constructor}"\narguments = {{ '
        text += ", ".join(f'{argument} = "{file}"' for argument, file in entry.arguments.items())
        text += f' }}\n[[models.{entry.name}.sources]]\ntype = "wheel"\nrequirement = "nothing==1"\n'
        for file in entry.all_files:
            text += f'[[models.{entry.name}.files]]\nname = "{file.name}"\nsize = {file.size}\n'
    catalogue = folder / "config" / "sottovoce" / "models.toml"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(text)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return Store(root)


def sound(name: str = NAME) -> Entry:
    """Return an entry of a model that works."""
    return msgspec.structs.replace(_OURS[REAL], name=name)


def deadly(name: str = NAME) -> Entry:
    """Return an entry over which sherpa-onnx ends the process: a sound file of another kind of model."""
    return msgspec.structs.replace(
        _OURS[REAL], name=name, constructor="from_nemo_ctc",
        arguments={"model": "encoder_model.ort", "tokens": "tokens.txt"},
    )  # fmt: skip


def refused(name: str = NAME) -> Entry:
    """Return an entry that the engine refuses in words."""
    return msgspec.structs.replace(_OURS[REAL], name=name, constructor="from_the_future")


def replace_file(store: Store, name: str, file: str, data: bytes) -> None:
    """Put other bytes into a file of a model."""
    (store.path(name) / file).write_bytes(data)
