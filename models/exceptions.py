"""What can go wrong with a model: each error says which one, what happened and what to do."""

from __future__ import annotations


class ModelError(Exception):
    """Base of every error of this package; its text is one line, fit to be shown to a user."""


class CatalogueInvalid(ModelError):
    """A catalogue file is not TOML or does not have the catalogue's shape; the text bears the file and the path."""


class UnknownModel(ModelError):
    """No catalogue entry has this name."""


class LanguageUnknown(ModelError):
    """The model does not know the language that was chosen."""


class ModelMissing(ModelError):
    """The model is in the catalogue but not, or not wholly, on this machine."""

    def __init__(self, name: str, reason: str = "is not installed") -> None:
        super().__init__(f"model {name} {reason}; run: sottovoce models pull {name}")
        self.name = name


class DownloadFailed(ModelError):
    """The source gave nothing usable: no network, no such version, a broken archive, a full disk."""


class SourceFailed(DownloadFailed):
    """This source does not give the model: out of reach, refused, not there, no such file in it. Another one may."""


class NoSpace(DownloadFailed):
    """The disk has no room for it; the text says how much is wanted."""


class VerifyFailed(ModelError):
    """A file is absent or differs from the catalogue's size or sha256; the text names the file."""


class ModelInUse(ModelError):
    """A process has the model loaded, so it is not removed."""


class ImportFailed(ModelError):
    """What somebody has is not the model, or not all of it; the text names the file."""


class EngineFailed(ModelError):
    """An engine could not be made from a model, or broke while it decoded."""


class DecodeCancelled(EngineFailed):
    """Nobody waits for this decode any more: `cancel` was called."""


class RuntimeConflict(ModelError):
    """Both builds of ONNX Runtime are installed, or neither is."""


class Quarantined(ModelError):
    """The model has killed a process, and nothing has changed since."""


class DoesNotFit(ModelError):
    """There is not enough memory for the model; the text says what there is room for."""


class ProbeFailed(ModelError):
    """The probe itself went wrong, which says nothing of the model."""
