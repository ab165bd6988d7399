"""Languages: a model that does not know the one that was chosen is refused."""

from __future__ import annotations

import pytest

from sottovoce.models import (
    Catalogue,
    Entry,
    LanguageUnknown,
    ModelError,
    check_languages,
    require_language,
    spoken,
)
from sottovoce.protocol.config import Config, DraftConfig, FinalConfig, SttConfig


def entry(name: str, *languages: str, streaming: bool = False) -> Entry:
    """Return a model that knows these languages."""
    return Entry(
        name=name, task="asr", licence="MIT", engine="bridge", command=("x",), languages=languages, streaming=streaming
    )


def test_a_language_that_a_model_lacks_is_refused_with_those_that_have_it() -> None:
    """The text names the language, what the model knows, and models of the same kind that know it."""
    among = [
        entry("english", "en"),
        entry("russian", "ru"),
        entry("live", "ru", streaming=True),
        entry("many", "en", "ru"),
    ]
    with pytest.raises(LanguageUnknown) as caught:
        require_language(among[0], "ru", among)
    assert str(caught.value) == "model english does not know language 'ru', it knows en; these do: russian, many"
    assert isinstance(caught.value, ModelError)


def test_where_none_has_it_that_is_told() -> None:
    """Rather than an empty list."""
    with pytest.raises(LanguageUnknown, match="no model of the catalogue does"):
        require_language(entry("english", "en"), "xx", [entry("english", "en")])


@pytest.mark.parametrize(("languages", "chosen"), [(("en",), ""), (("en", "ru"), "ru"), ((), "ru")])
def test_what_a_model_knows_or_may_know_is_fine(languages: tuple[str, ...], chosen: str) -> None:
    """No choice, one that it has, and any for a model whose languages nobody has listed."""
    require_language(entry("some", *languages), chosen)


@pytest.mark.parametrize(
    ("languages", "chosen", "known"),
    [(("en",), "", "en"), (("en", "ru"), "", ""), (("en", "ru"), "ru", "ru"), ((), "", "")],
)
def test_the_language_of_a_text(languages: tuple[str, ...], chosen: str, known: str) -> None:
    """It is the one that was chosen, or the only one there is; else nobody knows."""
    assert spoken(entry("some", *languages), chosen) == known


def test_a_configuration_is_checked_role_by_role() -> None:
    """The key is named; a draft that is off may know what it likes, and so may the fallback."""
    catalogue = Catalogue({name: entry(name, *languages) for name, languages in {"e": ["en"], "r": ["ru"]}.items()})

    def config(language: str, final: str, draft: str, *, enabled: bool = True) -> Config:
        stt = SttConfig(
            language=language, final=FinalConfig(model=final, fallback="e"),
            draft=DraftConfig(model=draft, enabled=enabled),
        )  # fmt: skip
        return Config(stt=stt)

    check_languages(config("ru", "r", "r"), catalogue)
    check_languages(config("ru", "r", "e", enabled=False), catalogue)
    check_languages(config("", "e", "r"), catalogue)
    with pytest.raises(LanguageUnknown, match=r"\[stt.final\] model do not go together: model e does not know .*: r$"):
        check_languages(config("ru", "e", "r"), catalogue)
    with pytest.raises(LanguageUnknown, match=r"\[stt.draft\] model"):
        check_languages(config("ru", "r", "e"), catalogue)
