"""What can go wrong with a model: each error says which one, what happened and what to do."""

from __future__ import annotations


class ModelError(Exception):
    """Base of every error of this package; its text is one line, fit to be shown to a user."""


class CatalogueInvalid(ModelError):
    """A catalogue file is not TOML or does not have the catalogue's shape; the text bears the file and the path."""


class UnknownModel(ModelError):
    """No catalogue entry has this name."""


class ModelMissing(ModelError):
    """The model is in the catalogue but not, or not wholly, on this machine."""

    def __init__(self, name: str, reason: str = "is not installed") -> None:
        super().__init__(f"model {name} {reason}; run: sottovoce models pull {name}")
        self.name = name


class DownloadFailed(ModelError):
    """The source gave nothing usable: no network, no such version, a broken archive, a full disk."""


class VerifyFailed(ModelError):
    """A file is absent or differs from the catalogue's size or sha256; the text names the file."""


class EngineFailed(ModelError):
    """An engine could not be made from a model, or broke while it decoded."""


class RuntimeConflict(ModelError):
    """Both builds of ONNX Runtime are installed, or neither is."""
