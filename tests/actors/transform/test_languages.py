"""The shipped rules of the languages other than English: what is typed for what was heard.

The tables are in `languages/*.toml`: `bare` as an engine hears them that writes no marks, `engine` as one that writes
its own, `typography` what a language prints beside its marks, `prose` what nobody meant as a command.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path

import msgspec
import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.rulebook import Rules, read, shipped

SPEECH = Path(__file__).parents[4] / "shared" / "speech"
TABLES = Path(__file__).parent / "languages"
LANGUAGES = ("de", "es", "fr", "it", "pt", "ru")


@cache
def rules_of(language: str) -> Rules:
    """Return the shipped rules of a language."""
    return read(shipped(language))


@cache
def transformer(language: str) -> Transformer:
    """Return the transform of a language."""
    return Transformer.load(language)


def typed(language: str, *utterances: str) -> str:
    """Return what stands in the window after the utterances."""
    context, page = Context(), ""
    for utterance in utterances:
        text, context = transformer(language).apply(utterance, context)
        page += text
    return page


def rows(kind: str) -> list[tuple[str, str, str]]:
    """Return language, what is heard, and what is typed for each row; prose is typed as it is heard."""
    found = []
    for language in LANGUAGES:
        for row in tomllib.loads((TABLES / f"{language}.toml").read_text())[kind]:
            found.append((language, row, row) if isinstance(row, str) else (language, *row))
    return found


def printed(language: str, mark: str) -> str:
    """Return a mark with the spaces that the language prints beside it."""
    rules = rules_of(language)
    return rules.before.get(mark[:1], "") + mark + rules.after.get(mark[-1:], "")


def loose(text: str) -> str:
    """Return the text without what may change in prose: spaces and capitals."""
    return "".join(text.split()).casefold()


@pytest.mark.parametrize(("language", "heard", "page"), rows("bare"))
def test_spoken_marks_are_written(language: str, heard: str, page: str) -> None:
    """What people say for a mark writes it as that language prints it, with the spaces that belong to it."""
    assert typed(language, heard) == page


@pytest.mark.parametrize(("language", "heard", "page"), rows("engine"))
def test_the_engines_punctuation_around_a_command_goes(language: str, heard: str, page: str) -> None:
    """An engine that punctuates comes out as one that does not."""
    assert typed(language, heard) == page


@pytest.mark.parametrize(("language", "heard", "page"), rows("typography"))
def test_marks_are_printed_as_the_language_prints_them(language: str, heard: str, page: str) -> None:
    """Spaces that do not break, openers and closers, and decimals are the language's own, whoever wrote the mark."""
    assert typed(language, heard) == page


@pytest.mark.parametrize(("language", "heard", "page"), rows("prose"))
def test_prose_stays_as_it_is(language: str, heard: str, page: str) -> None:
    """A command's word in ordinary language is a word: nothing changes but spaces and capitals."""
    result = typed(language, heard)
    assert loose(result) == loose(page)
    assert "\n" not in result


@pytest.mark.parametrize(("language", "heard", "page"), rows("prose"))
def test_prose_in_bare_style_stays_as_it_is(language: str, heard: str, page: str) -> None:
    """The same prose from an engine that writes neither marks nor capitals, where only the words can tell."""
    words = [word.strip(".,;:?!…–—„“”«»").lower() for word in heard.split()]
    bare = " ".join(word for word in words if word)
    assert loose(typed(language, bare)) == loose(bare)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tables_are_large_enough_to_mean_something(language: str) -> None:
    """Each language has 40 rows of commands and 25 of prose at least."""
    table = tomllib.loads((TABLES / f"{language}.toml").read_text())
    assert len(table["bare"]) + len(table["engine"]) >= 40
    assert len(table["prose"]) >= 25


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_of_every_rule_fires(language: str) -> None:
    """Each phrase that a file lists writes its mark and its spaces, for an engine with and one without punctuation."""
    wrong = []
    for rule in rules_of(language).rule:
        spaced = {"left": ("", " "), "right": (" ", ""), "both": ("", ""), "none": (" ", " ")}[rule.attach]
        page = (
            ("xax" if rule.write == "@" else "Xax")
            + spaced[0]
            + printed(language, rule.write)
            + spaced[1]
            + ("Xax" if rule.case == "start" else "xax")
        )
        for phrase in rule.spoken:
            heard = [f"xax, {phrase}, xax", f"xax, {phrase.capitalize()}, xax"]
            if rule.only == "anywhere":
                heard.append(f"xax {phrase} xax")
            wrong += [(text, typed(language, text), page) for text in heard if typed(language, text) != page]
    assert not wrong


EFFECTS = {
    "upper on": ("xax-yay zaz", "XAX-YAY ZAZ"),
    "title on": ("xax yay", "Xax Yay"),
    "lower on": ("XAX Yay", "xax yay"),
    "upper word": ("xax yay", "XAX yay"),
    "lower word": ("XAX Yay", "xax Yay"),
    "capital letter": ("б yay", "Б yay"),
    "camel phrase": ("xax yay", "xaxYay"),
    "pascal phrase": ("xax yay", "XaxYay"),
    "snake phrase": ("xax yay", "xax_yay"),
    "kebab phrase": ("xax yay", "xax-yay"),
    "constant phrase": ("xax yay", "XAX_YAY"),
}
"""What is heard after a casing command, and what is typed for it."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_casing_command_has_its_effect(language: str) -> None:
    """Each phrase changes the words after it; what was switched on goes on until it is switched off."""
    off = {case.does: case.spoken for case in rules_of(language).case if case.does.endswith(" off")}
    for case in rules_of(language).case:
        for phrase in case.spoken if case.does not in off else ():
            heard, page = EFFECTS[case.does]
            assert typed(language, f"zaz {phrase} {heard}") == f"Zaz {page}"
            for end in off.get(case.does.replace(" on", " off"), ()):
                assert typed(language, f"zaz {phrase} {heard}", f"{end} Zaz wow") == f"Zaz {page} Zaz wow"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mode_has_its_phrases(language: str) -> None:
    """Each phrase switches, as an utterance of its own with an engine's marks on it too, and types nothing."""
    switches = rules_of(language).mode
    assert {switch.mode for switch in switches} == {"dictation", "code", "verbatim", "spelling", "command"}
    for switch in switches:
        for phrase in switch.spoken:
            for mode in ("dictation", "verbatim", "command"):
                text, context = transformer(language).apply(f"{phrase.capitalize()}.", Context(mode=mode))
                assert (text, context.mode) == ("", switch.mode)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_alphabet_is_a_letter(language: str) -> None:
    """In the mode spelling each word of the telephone's alphabet writes its letter, and a letter writes itself."""
    for word, letter in rules_of(language).spelling.items():
        context = Context(mode="spelling")
        assert transformer(language).apply(f"{word.capitalize()}, x, {word}.", context)[0] == f"{letter}x{letter}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_is_likened_to_a_word(language: str) -> None:
    """In the mode spelling the word that a letter is likened to, in any of the ways, is not written."""
    for phrase in rules_of(language).likening:
        context = Context(mode="spelling")
        assert transformer(language).apply(f"X {phrase} xylomoto, x.", context)[0] == "xx"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_toggle_opens_and_closes(language: str) -> None:
    """A pair's one word writes its opening mark, and said again, in a later utterance, its closing one."""
    rules = rules_of(language)
    by_phrase = {phrase: rule for rule in rules.rule for phrase in rule.spoken}
    for toggle in rules.toggle:
        for phrase in toggle.spoken:
            opening, closing = (printed(language, by_phrase[end].write) for end in (toggle.open, toggle.close))
            page = f"Xax {opening}Yay{closing} zaz"
            assert typed(language, f"xax {phrase} yay", f"{phrase} zaz") == page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plain_phrase_is_plain(language: str) -> None:
    """Each phrase that holds a command's word and is none is typed word for word."""
    for phrase in rules_of(language).plain:
        assert typed(language, f"xax {phrase} xax") == f"Xax {phrase} xax"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_escape_writes_the_commands_words(language: str) -> None:
    """After each escape a command is words, and the escape is not written."""
    rules = rules_of(language)
    assert rules.escape
    for escape in rules.escape:
        for rule in rules.rule:
            assert typed(language, f"xax {escape} {rule.spoken[0]} xax") == f"Xax {rule.spoken[0]} xax"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_determiner_makes_a_noun(language: str) -> None:
    """Straight after a determiner the word for a comma is a word."""
    rules = rules_of(language)
    comma = next(rule.spoken[0] for rule in rules.rule if rule.write == ",")
    for word in rules.determiners:
        assert typed(language, f"xax {word} {comma} xax") == f"Xax {word} {comma} xax"


@pytest.mark.parametrize("language", LANGUAGES)
def test_either_apostrophe_is_understood(language: str) -> None:
    """Engines write ' or ’, so a phrase that has one is listed with both."""
    rules = rules_of(language)
    phrases = {*rules.plain, *(phrase for rule in rules.rule for phrase in rule.spoken)}
    assert not {phrase for phrase in phrases if "'" in phrase and phrase.replace("'", "’") not in phrases}


@pytest.mark.parametrize("language", LANGUAGES)
def test_marks_said_after_a_pause_join_their_words(language: str) -> None:
    """A comma or a full stop said as an utterance of its own goes where it would have gone in one breath."""
    rules = rules_of(language)
    comma, stop = (next(rule.spoken[0] for rule in rules.rule if rule.write == mark) for mark in (",", "."))
    assert typed(language, "xax", f"{comma} yay", stop, "zaz") == "Xax, yay. Zaz"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_abbreviation_ends_no_sentence(language: str) -> None:
    """After the period of a listed abbreviation the engine's spelling of the next word stands."""
    for word in rules_of(language).abbreviations:
        context = transformer(language).apply(f"xax {word}.", Context())[1]
        assert context.case == "free", word


@pytest.mark.parametrize(
    ("language", "utterances", "page"),
    [
        ("de", ("Sie kommt", "Und er geht"), "Sie kommt und er geht"),
        ("de", ("ich sehe", "Sie auch", "Leben lernen"), "Ich sehe Sie auch Leben lernen"),
        ("de", ("am montag im januar",), "Am Montag im Januar"),
        ("es", ("Viene", "Pero no hoy"), "Viene pero no hoy"),
        ("es", ("hola coma abrir interrogación qué tal cerrar interrogación",), "Hola, ¿qué tal?"),
        ("fr", ("Il vient", "L’homme part"), "Il vient l’homme part"),
        ("fr", ("Il vient", "D'abord à Paris"), "Il vient d'abord à Paris"),
        ("it", ("Viene", "L'uomo parte"), "Viene l'uomo parte"),
        ("it", ("Viene", "Dell’anno"), "Viene dell’anno"),
        ("pt", ("Ele vem", "Mas não hoje"), "Ele vem mas não hoje"),
        ("ru", ("Он придёт", "Но не сегодня"), "Он придёт но не сегодня"),
        ("ru", ("он видел", "Вас и Москву"), "Он видел Вас и Москву"),
    ],
)
def test_only_function_words_lose_a_capital(language: str, utterances: tuple[str, ...], page: str) -> None:
    """A segment that goes on with a sentence loses the capital of its first word, unless the word may need it."""
    assert typed(language, *utterances) == page


def test_the_clips_transcripts_stay_as_they_are() -> None:
    """No word of real read speech is taken for a command; only a first letter may change."""
    manifest = SPEECH / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip("no shared speech beside the checkout; put it at ../shared/speech")
    clips = [json.loads(line) for line in manifest.read_text().splitlines()]
    texts = [(clip["lang"], clip["text"]) for clip in clips if clip["lang"] in LANGUAGES and clip["text"]]
    assert texts
    for language, text in texts:
        assert typed(language, text)[1:] == text[1:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_quotation_survives_a_restart(language: str) -> None:
    """The stage that begins again in the middle of a quotation closes it with the mark that belongs to it."""
    rules = rules_of(language)
    by_phrase = {phrase: rule for rule in rules.rule for phrase in rule.spoken}
    toggle = rules.toggle[0]
    context = transformer(language).apply(f"{toggle.spoken[0]} xax", Context())[1]
    again = msgspec.json.decode(msgspec.json.encode(context), type=Context)
    assert transformer(language).apply(toggle.spoken[0], again)[0] == printed(language, by_phrase[toggle.close].write)
