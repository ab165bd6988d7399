"""Languages: which one a model is to hear, and whether it knows it."""

from __future__ import annotations

from collections.abc import Iterable

from sottovoce.models.catalogue import Catalogue, Entry
from sottovoce.models.exceptions import LanguageUnknown
from sottovoce.protocol.config import Config


def require_language(entry: Entry, language: str, among: Iterable[Entry] = ()) -> None:
    """Make sure that a model knows a language. One whose entry names no languages is taken to know any.

    Args:
        entry: the model.
        language: ISO 639-1; empty for what the model finds out.
        among: where to look for models that do, to name them.

    Raises:
        LanguageUnknown: it does not; says which it knows, and which models know it.
    """
    if not language or not entry.languages or language in entry.languages:
        return
    others = [
        other.name
        for other in among
        if other.task == "asr" and other.streaming == entry.streaming and language in other.languages
    ]
    advice = f"these do: {', '.join(others)}" if others else "no model of the catalogue does"
    raise LanguageUnknown(
        f"model {entry.name} does not know language {language!r}, it knows {', '.join(entry.languages)}; {advice}"
    )


def check_languages(config: Config, catalogue: Catalogue) -> None:
    """Make sure that the recognisers of a configuration know its `[stt] language`.

    The fallback of the final is not asked: it is there for a day on which nothing else works.

    Raises:
        LanguageUnknown: one does not; names the key, and says what to choose instead.
        UnknownModel: no catalogue entry has the name of one.
    """
    stt = config.stt
    roles = {"final": stt.final.model} | ({"draft": stt.draft.model} if stt.draft.enabled else {})
    for role, model in roles.items():
        try:
            require_language(catalogue[model], stt.language, catalogue)
        except LanguageUnknown as error:
            raise LanguageUnknown(f"[stt] language and [stt.{role}] model do not go together: {error}") from error


def spoken(entry: Entry, language: str) -> str:
    """Return the language that a model's text is in, where one knows it beforehand; else an empty string.

    It is the one that was chosen, or the only one that the model has.

    Args:
        entry: the model.
        language: ISO 639-1, as it was chosen; empty for what the model finds out.
    """
    return language or (entry.languages[0] if len(entry.languages) == 1 else "")
