"""Corrections, replacements, snippets and fillers: which words become others, and which never do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.transform import lookup as module
from sottovoce.actors.transform.common import Lexicon, lexicon
from sottovoce.actors.transform.corrections import Corrections, Fired, Snippet
from sottovoce.actors.transform.fillers import FILLERS
from sottovoce.protocol.correction import Correction

SENTENCE = "The bacon and the baker of the form were damned fine, in May."


def correction(heard: str, write: str, **more: Any) -> Correction:
    """Return a correction that is found exactly, if nothing else is said."""
    return Correction(heard=heard, write=write, **more)


def written(text: str, *entries: Correction, mode: str = "dictation", **more: Any) -> str:
    """Return what becomes of an English text."""
    more = {"fillers": False} | more
    return " ".join(Corrections.of_language(entries, "en", **more).apply(text.split(), mode=mode)[0])


ARCHON = correction("arkon", "Archon", match="sound", number=7)


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("arkon", "Archon"),
        ("ARKON", "Archon"),
        ('"Arkon," he said', '"Archon," he said'),
        ("(arkon)!", "(Archon)!"),
        ("is it arkon?", "is it Archon?"),
        ("arkon's and arkon’s", "Archon's and Archon’s"),
        ("arkons", "arkons"),
        ("barkon", "barkon"),
    ],
)
def test_a_word_is_found_whatever_is_around_it(heard: str, expected: str) -> None:
    """Capitals do not matter, marks around a word stay, a possessive does too; a longer word is another word."""
    assert written(heard, correction("arkon", "Archon")) == expected


def test_the_longest_phrase_wins() -> None:
    """Of phrases that begin alike the longest is taken; up to five words make one."""
    entries = (
        correction("my email", "me@example.com"),
        correction("my", "our"),
        correction("my email at the office", "office@example.com"),
    )
    assert written("my dog, my email at the door; my email at the office.", *entries) == (
        "our dog, me@example.com at the door; office@example.com."
    )


def test_a_phrase_ends_where_the_engine_heard_a_pause() -> None:
    """Words with a mark between them are not the phrase."""
    assert written("It is my, email me", correction("my email", "me@example.com")) == "It is my, email me"


def test_a_snippet_has_its_own_lines_and_marks() -> None:
    """A text of several lines comes as one chunk, and the engine's full stop after its name goes."""
    corrections = Corrections([correction("sign off", "Best regards,\n\tAda")])
    assert corrections.apply(["Now", '"sign', 'off."'], mode="code")[0] == ["Now", '"Best regards,\n\tAda"']


def test_words_come_as_chunks() -> None:
    """What has no capitals of its own is words again, so that they are seen to as of any other; the rest is one."""
    corrections = Corrections([correction("ada", "Ada Lovelace", case="heard"), correction("et cetera", "and so on.")])
    written, _ = corrections.apply(["ada,", "et", "cetera."], mode="code")
    assert written == ["ada", "lovelace,", "and so on."]
    assert [isinstance(chunk, Snippet) for chunk in written] == [False, False, True]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("written", "coLour coLour coLour"),
        ("heard", "colour CoLour COLOUR"),
        ("upper", "COLOUR COLOUR COLOUR"),
        ("lower", "colour colour colour"),
    ],
)
def test_case_modes(case: Any, expected: str) -> None:
    """Capitals come from the correction, from the heard word, or are all large or all small."""
    assert written("color Color COLOR", correction("color", "coLour", case=case)) == expected


def test_a_correction_holds_in_its_modes() -> None:
    """One that names modes is not found in others, and wins over one for all where it is."""
    entries = (correction("cube cuttle", "Kubectl"), correction("cube cuttle", "kubectl", modes=("code", "command")))
    assert [written("cube cuttle", *entries, mode=mode) for mode in ("dictation", "code", "command", "new")] == [
        "Kubectl", "kubectl", "kubectl", "Kubectl",
    ]  # fmt: skip
    assert written("cube cuttle", entries[1], mode="dictation") == "cube cuttle"


def test_one_that_is_off_is_not_found() -> None:
    """A correction that is not enabled does nothing."""
    assert written("arkon", correction("arkon", "Archon", enabled=False)) == "arkon"


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("arcon", "Archon"),
        ("Arkonn,", "Archon,"),
        ("archon's", "Archon's"),
        ("Archon", "Archon"),
        ("arkons", "Archons"),
        ("ARCONS,", "Archons,"),
        ("ark on", "ark on"),
        ("arcade", "arcade"),
    ],
)
def test_what_sounds_alike_is_found(heard: str, expected: str) -> None:
    """What sounds like the heard or like the written form becomes the written form, its marks kept."""
    assert written(heard, ARCHON) == expected


def test_a_phrase_is_found_by_sound_word_by_word() -> None:
    """Each word of a phrase may be misheard in its own way, or be right; all of them are needed."""
    ada = correction("aida lovelase", "Ada Lovelace", match="sound")
    assert (
        written("ada lovelayse met Aida Lovelace and Lovelace.", ada) == "Ada Lovelace met Ada Lovelace and Lovelace."
    )


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("bacon", "Beacon"),
        ("bacon", "Baykon"),
        ("form", "Forme"),
        ("baker", "Baker"),
        ("damned", "Damnd"),
        ("may", "May"),
    ],
)
def test_a_word_of_the_language_never_becomes_a_name(word: str, name: str) -> None:
    """However alike they sound: nor does it get the capital of one. Exactly it can be had, by asking for it."""
    assert written(SENTENCE, correction(name.replace("a", "aa"), name, match="sound")) == SENTENCE
    assert name in written(SENTENCE, correction(word, name))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("an e-mail, two e-mails", "Emil"),
        ("a check-in and check-ins", "Chekhin"),
        ("crisp bacons", "Beacon"),
        ("a follow-up", "Followap"),
        ("we can't", "Kahnt"),
        ("we’re here", "Wier"),
    ],
)
def test_no_form_of_a_word_of_the_language_becomes_a_name(text: str, name: str) -> None:
    """Compounds, plurals and contractions are words too, whether the list has them or not."""
    assert written(text, correction(name, name, match="sound")) == text


def test_a_hyphen_more_is_the_same_word() -> None:
    """A name that is a compound of words but for its hyphen is found with it."""
    assert written("on git-hub", correction("github", "GitHub", match="sound")) == "on GitHub"


def test_a_plural_stays_one() -> None:
    """The s stays after what is written, unless that ends with one or the sound of it is the name's own."""
    assert written("two lovelases", correction("lovelase", "Lovelace", match="sound")) == "two Lovelaces"
    assert written("kuberneties", correction("kubernetie", "Kubernetes", match="sound")) == "Kubernetes"
    assert written("linucks", correction("linuks", "Linux", match="sound")) == "Linux"
    assert written("two arkons", correction("arkon", "Archon")) == "two arkons"
    assert written("two vims", correction("vim", "Vim", match="sound")) == "two vims"


def test_a_rare_word_gets_its_capital() -> None:
    """A word that is not common and is a name here is written as that name, but takes no other word's place."""
    assert written("I read kafka", correction("cafka", "Kafka", match="sound")) == "I read Kafka"
    assert written("a kafka thing", correction("cavka", "Cavka", match="sound")) == "a kafka thing"


def test_a_corrections_own_words_are_known() -> None:
    """Of two names that sound alike, each is written as itself."""
    entries = (correction("Jonsson", "Jonsson", match="sound"), correction("Johnsson", "Johnsson", match="sound"))
    assert written("Jonsson and Johnsson and jonssen", *entries) == "Jonsson and Johnsson and Jonsson"


def test_the_threshold_is_obeyed() -> None:
    """Words that sound alike are one only if their letters are as similar as is asked for."""
    assert written("arcon", ARCHON, least=0.8) == "Archon"
    assert written("arcon", ARCHON, least=0.99) == "arcon"


def test_without_a_list_of_words_nothing_is_found_by_sound() -> None:
    """Where nothing tells a word from a misheard name, only what is exact is replaced."""
    assert Corrections([ARCHON]).apply(["arcon", "arkon"], mode="code")[0] == ["arcon", "Archon"]
    assert lexicon("xx") is None
    assert Corrections.of_language([ARCHON], "xx").apply(["arcon", "arkon"], mode="code")[0] == ["arcon", "Archon"]


def test_what_fired_is_told() -> None:
    """Number, words, and whether it was exact or by sound, of each change in its order; none where nothing changed."""
    corrections = Corrections.of_language([ARCHON], "en")
    chunks = ["Um,", "Archon,", "arkon,", "arcon!"]
    _, fired = corrections.apply(chunks, mode="dictation")
    assert fired[:2] == (Fired(0, "Um", "", "filler"), Fired(7, "arkon", "Archon", "exact", at=2))
    (last,) = fired[2:]
    assert (last.number, last.heard, last.wrote, last.how) == (7, "arcon", "Archon", "sound")
    assert 0.8 <= last.score < 1
    assert chunks == ["Um,", "Archon,", "arkon,", "arcon!"]
    right = ["Archon"]
    assert corrections.apply(right, mode="dictation") == (right, ())


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("Um, I think so.", "I think so."),
        ("I, um, think so", "I think so"),
        ("I um think so", "I think so"),
        ("on Monday, um we left", "on Monday, we left"),
        ("I think, um.", "I think."),
        ("I think, uh", "I think"),
        ("Do you, er?", "Do you?"),
        ("uh... yes um, erm, no", "yes no"),
        ('"Um, hi," he said, "um."', '"hi," he said.'),
        ("the ER doctor and his umbrella", "the ER doctor and his umbrella"),
        ("Um.", ""),
        ("Uh huh, I see, uh oh!", "Uh huh, I see, uh oh!"),
        ("Uh, oh no, uh ohm", "oh no, ohm"),
        ("to err is human", "to err is human"),
        ("I say the word um too often", "I say the word um too often"),
        ("the word, um, is wrong, in other words um we left", "the word is wrong, in other words we left"),
        ("damned shit", "damned shit"),
    ],
)
def test_fillers_go_with_their_pauses(heard: str, expected: str) -> None:
    """Sounds of thinking go, the commas around them too; what ended a sentence stays, and so does every word."""
    assert written(heard, fillers=True) == expected


@pytest.mark.parametrize(("off", "mode"), [(True, "dictation"), (False, "verbatim")])
def test_fillers_stay_where_they_are_wanted(off: bool, mode: str) -> None:
    """They stay if the setting is off, and in verbatim in any case."""
    assert written("um, so", fillers=not off, mode=mode) == "um, so"


@pytest.mark.parametrize(("language", "word"), [("de", "um"), ("de", "er"), ("pt", "um"), ("es", "eh"), ("fr", "hum")])
def test_a_filler_here_is_a_word_there(language: str, word: str) -> None:
    """Fillers are of a language: German and Portuguese keep their "um"."""
    chunks = [word, "x"]
    assert Corrections.of_language((), language).apply(chunks, mode="dictation")[0] is chunks


def test_what_is_known_of_chunks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanings that are kept are forgotten at a limit, and the result is the same, in the midst of an utterance too."""
    monkeypatch.setattr(module, "_KEPT", 3)
    text = "one two arkon four five arcon seven eight"
    assert written(text, ARCHON) == text.replace("arkon", "Archon").replace("arcon", "Archon")


# -- properties --------------------------------------------------------------------------------------------------------

_CHUNKS = st.lists(
    st.text(max_size=8)
    | st.sampled_from(
        ["arkon", "Arcon's", "my", "email", "um,", '"Um', "uh.", "er", "x", "color.", "COLOR", "(my", "—"]
    ),
    max_size=12,
)
_ENTRIES = (
    ARCHON,
    correction("my email", "me@example.com", number=2),
    correction("color", "Colour", case="heard", number=3),
    correction("x y z", "several\n lines", number=4),
    correction("er x", "quux", modes=("code",), number=5),
)
_WORDS = Lexicon({"colour", "one"}, {"one"})


@given(_CHUNKS, st.sampled_from(["dictation", "code", "verbatim", ""]))
def test_it_never_raises_nor_changes_what_it_is_given(chunks: list[str], mode: str) -> None:
    """Any strings at all are taken, the list stays as it was, and is returned itself where nothing fired."""
    before = copy.copy(chunks)
    out, fired = Corrections(_ENTRIES, lexicon=_WORDS, fillers=FILLERS["en"]).apply(chunks, mode=mode)
    assert chunks == before
    assert (out is chunks) == (not fired)
    assert all(isinstance(chunk, str) for chunk in out)


@given(_CHUNKS, st.sampled_from(["dictation", "code", "verbatim"]))
def test_it_is_idempotent(chunks: list[str], mode: str) -> None:
    """What was corrected is not corrected again: here no text holds what another correction looks for."""
    corrections = Corrections(_ENTRIES, lexicon=_WORDS)
    once = corrections.apply(chunks, mode=mode)[0]
    assert corrections.apply(once, mode=mode) == (once, ())


@given(_CHUNKS)
def test_without_entries_nothing_is_touched(chunks: list[str]) -> None:
    """No corrections and no fillers: the very same list."""
    assert Corrections(()).apply(chunks, mode="dictation")[0] is chunks


@given(_CHUNKS, _CHUNKS)
def test_it_remembers_nothing_of_what_it_saw(first: list[str], second: list[str]) -> None:
    """A result depends on its chunks alone, not on those before."""
    corrections = Corrections(_ENTRIES, lexicon=_WORDS, fillers=FILLERS["en"])
    corrections.apply(first, mode="dictation")
    fresh = Corrections(_ENTRIES, lexicon=_WORDS, fillers=FILLERS["en"])
    assert corrections.apply(second, mode="dictation") == fresh.apply(second, mode="dictation")
