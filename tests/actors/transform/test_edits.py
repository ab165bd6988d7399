"""What is an edit by voice, and what are just words."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.transform import Context, RulesError, Transformer
from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.edits import Edits, Spoken, context_after, cut_off, pressed
from sottovoce.actors.transform.rulebook import read
from sottovoce.protocol.rows import Edit

WHOLE = {
    "en": {
        "scratch": ["scratch that", "Scratch that.", "Scratch that!", "Scratch, that.", ". Scratch that.",
                    "Delete that.", "“Strike that.”", "Scratch-that."],
        "word": ["Delete last word.", "delete the last word"],
        "sentence": ["Delete last sentence."],
        "undo": ["Undo.", "Undo that!"],
    },
    "de": {
        "scratch": ["Streich das.", "lösch das"], "word": ["Letztes Wort löschen."],
        "sentence": ["Letzten Satz löschen."], "undo": ["Rückgängig."],
    },
    "fr": {
        "scratch": ["Efface ça."], "word": ["Efface le dernier mot."], "sentence": ["Efface la dernière phrase."],
        "undo": ["Annule ça."],
    },
    "es": {
        "scratch": ["Borra eso."], "word": ["Borra la última palabra."], "sentence": ["¡Borra la última frase!"],
        "undo": ["Deshacer."],
    },
    "it": {
        "scratch": ["Cancella questo."], "word": ["Cancella l'ultima parola.", "Cancella l’ultima parola."],
        "sentence": ["Cancella l'ultima frase."], "undo": ["Annulla."],
    },
    "pt": {
        "scratch": ["Apaga isso."], "word": ["Apaga a última palavra."], "sentence": ["Apaga a última frase."],
        "undo": ["Desfazer."],
    },
    "ru": {
        "scratch": ["Удали это."], "word": ["Удали последнее слово."], "sentence": ["Удали последнее предложение."],
        "undo": ["Отмени это."],
    },
}  # fmt: skip
WORDS = {
    "en": ["I had to scratch that itch.", "Please undo the change.", "If you do not need it, delete that.",
           "He undid that.", "Scratch that. It is wrong.", "Scratch. That was it.", "It was too late to undo.",
           "Press enter.", "press enter to continue", "the press", "", "...", "Please. Undo."],
    "de": ["Er musste das streichen.", "Wenn du es nicht brauchst, streich das.", "Das ist rückgängig zu machen.",
           "Drücke Eingabe."],
    "fr": ["Il faut que tu effaces ça.", "Si tu n'en veux pas, efface ça.", "Il efface le dernier mot de la phrase."],
    "es": ["Si no lo quieres, borra eso.", "Él borra la última palabra de la frase."],
    "it": ["Se non serve, cancella questo.", "Lei annulla il volo."],
    "pt": ["Se não quiser, apaga isso.", "Ele apaga a última palavra da frase."],
    "ru": ["Если не нужно, удали это.", "Он удалил последнее слово."],
}  # fmt: skip
PRESSED = {
    "en": {"Press Enter.": "Return", "press tab": "Tab", "press control c": "ctrl+c", "Press Ctrl+C.": "ctrl+c",
           "press control-shift-v": "ctrl+shift+v", "press control shift victor": "ctrl+shift+v", "press up": "Up",
           "Press page down.": "Next", "press F5": "F5", "press f five": "F5", "press alt f four": "alt+F4",
           "hit escape": "Escape", "press shift tab": "shift+Tab", "press back space": "BackSpace"},
    "de": {"Drücke Eingabe.": "Return", "Drücke Strg C.": "ctrl+c"},
    "fr": {"Appuie sur Entrée.": "Return"},
    "es": {"Pulsa Intro.": "Return"},
    "it": {"Premi Invio.": "Return"},
    "pt": {"Pressiona Enter.": "Return"},
    "ru": {"Нажми энтер.": "Return"},
}  # fmt: skip


@functools.cache
def edits(language: str, *, keys: bool = False) -> Edits:
    """Return the edits of a language."""
    return Edits(Transformer.load(language).rules, keys=keys)


@pytest.mark.parametrize(
    ("language", "does", "said"),
    [(lang, does, said) for lang, kinds in WHOLE.items() for does, all_said in kinds.items() for said in all_said],
)
def test_a_whole_utterance(language: str, does: str, said: str) -> None:
    """Said alone it is the edit, whatever marks and capitals the engine gave it; in verbatim it is words."""
    assert edits(language).find(said) == Spoken("", edit=Edit(does=does))  # type: ignore[arg-type]
    assert edits(language).find(said, "verbatim") == Spoken(said)


@pytest.mark.parametrize(("language", "said"), [(lang, said) for lang, all_said in WORDS.items() for said in all_said])
def test_words(language: str, said: str) -> None:
    """Inside a sentence they are words, and so are keys that are not allowed."""
    assert edits(language).find(said) == Spoken(said)


@pytest.mark.parametrize(
    ("language", "said", "keys"),
    [(lang, said, keys) for lang, all_said in PRESSED.items() for said, keys in all_said.items()],
)
def test_keys(language: str, said: str, keys: str) -> None:
    """Modifiers and a key, as engines write them."""
    assert edits(language, keys=True).find(said) == Spoken("", edit=Edit(does="press", keys=keys))


@pytest.mark.parametrize(
    "said", ["press enter to continue", "press a", "press control", "press control control c", "The press.", "press on"]
)
def test_what_is_no_key(said: str) -> None:
    """Where no key is said, where it goes on, and for a letter without a modifier, the words are words."""
    assert edits("en", keys=True).find(said) == Spoken(said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I will come tomorrow. Scratch that.", Spoken("I will come tomorrow.", cut=Edit(does="scratch"))),
        ("I will come tomorrow, scratch that.", Spoken("I will come tomorrow,", cut=Edit(does="scratch"))),
        ("Tomorrow — scratch that", Spoken("Tomorrow —", cut=Edit(does="scratch"))),
        ("It is late. Delete that.", Spoken("It is late.", cut=Edit(does="scratch"))),
        ("It is late. Undo that.", Spoken("It is late.", cut=Edit(does="scratch"))),
        ("It is late. Delete last word.", Spoken("It is late.", cut=Edit(does="word"))),
        ("One. Two. Scratch that. Scratch that.", Spoken("", edit=Edit(does="scratch"))),
        ("Git status. Press enter.", Spoken("Git status.", edit=Edit(does="press", keys="Return"))),
    ],
)
def test_at_the_end_of_an_utterance(said: str, expected: Spoken) -> None:
    """Behind a mark that the engine wrote it is done to the utterance itself first; a key comes after the text."""
    assert edits("en", keys=True).find(said) == expected


@pytest.mark.parametrize(
    "said", ["Scratch that. Scratch that.", "scratch that scratch that", "Scratch that, scratch that!"]
)
def test_said_twice(said: str) -> None:
    """Said twice in one breath it is done twice."""
    assert edits("en").find(said) == Spoken("", edit=Edit(does="scratch", times=2))


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("literal scratch that", "scratch that"), ("Say scratch that.", "scratch that."),
        ("Hello. Literally scratch that.", "Hello. scratch that."), ("literal press enter", "press enter"),
        ("type literal scratch that", "type scratch that"),
        ("she would say scratch that", "she would say scratch that"),
    ],
)  # fmt: skip
def test_escaped(said: str, text: str) -> None:
    """After an escape they are words, without the escape."""
    assert edits("en", keys=True).find(said) == Spoken(text)


@given(st.text(), st.booleans())
def test_any_text(said: str, keys: bool) -> None:
    """Nothing raises, and what is text is there whole, or up to an edit."""
    found = edits("en", keys=keys).find(said)
    assert said == found.text or found.cut or found.edit or "literal" in said or "say" in said


def test_cut_off() -> None:
    """What is left of an utterance's own text."""
    rules = Transformer.load("en").rules
    assert cut_off("I saw Mr. Smith. He left.", Edit(does="sentence"), rules) == "I saw Mr. Smith."
    assert cut_off("One two three.", Edit(does="word", times=2), rules) == "One"
    assert cut_off("One.", Edit(does="word", times=2), rules) == ""
    assert cut_off("One.", Edit(does="scratch"), rules) == ""


@pytest.mark.parametrize(
    ("stands", "after"),
    [
        ("Hello.", " We go"),
        ("Hello", " we go"),
        ("Hello,", " we go"),
        ("See (", "we go"),
        ("Hello.\n", "We go"),
        ("", "We go"),
    ],
)
def test_what_comes_next(stands: str, after: str) -> None:
    """Capitals and spaces go on as what is left asks for."""
    transformer = Transformer.load("en")
    context = context_after(Context(), stands, Casing(transformer.rules)) if stands else Context()
    assert transformer.apply("We go", context)[0] == after


def test_after_a_key() -> None:
    """Behind Return a line begins; behind another key nothing is known, and no space is put but after End."""
    context = Context(glue=False, case="inside", mark=",", line=False)
    assert (pressed(context, "Return").line, pressed(context, "Return").case) == (True, "start")
    assert [pressed(context, keys).glue for keys in ("Tab", "ctrl+c", "End")] == [True, True, False]


def test_rules_of_ones_own(tmp_path: Path) -> None:
    """A user's phrase is an edit, and a shipped one is words once it is plain or a rule of theirs."""
    path = tmp_path / "en.toml"
    path.write_text(
        'plain = ["undo"]\n[[edit]]\nspoken = ["oh no"]\ndoes = "scratch"\n'
        '[[rule]]\nspoken = ["delete that"]\nwrite = "DEL"\nattach = "none"\n[keys]\n"the big one" = "Return"\n'
    )
    mine = Edits(Transformer.load("en", own=path).rules, keys=True)
    assert mine.find("Oh, no!").edit == Edit(does="scratch")
    assert mine.find("Undo.") == Spoken("Undo.")
    assert mine.find("Delete that.") == Spoken("Delete that.")
    assert mine.find("Press the big one.").edit == Edit(does="press", keys="Return")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('\n[[edit]]\nspoken = ["zap"]\ndoes = "explode"\n', ":4: edit 1 ('zap'): Invalid enum value 'explode'"),
        ('[[edit]]\nspoken = ["Zap"]\ndoes = "scratch"\n', ":2: edit 1 ('Zap'): 'Zap' can never match"),
        ('[[edit]]\nspoken = []\ndoes = "scratch"\n', ":1: edit 1: `spoken` is empty"),
        (
            '[[edit]]\nspoken = ["zap"]\ndoes = "word"\nonly = "never"\n',
            ":4: edit 1 ('zap'): Invalid enum value 'never'",
        ),
        ('plain = ["zap"]\n[[edit]]\nspoken = ["zap"]\ndoes = "word"\n', ":3: 'zap' stands for two things"),
        ('[keys]\nenter = "Enter"\n', "Invalid enum value 'Enter'"),
    ],
)
def test_a_wrong_one_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """With file, line and reason."""
    path = tmp_path / "en.toml"
    path.write_text(text)
    with pytest.raises(RulesError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert reason in str(caught.value)
