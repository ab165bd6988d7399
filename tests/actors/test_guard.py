from __future__ import annotations

import numpy as np
import pytest

from sottovoce.actors.guard import (
    EVEN_DB,
    MAX_CHARACTERS_PER_SECOND,
    SOFT_DB,
    Evidence,
    Loudness,
    compression_ratio,
    loudness,
    nearly_silent,
    refuse,
)
from sottovoce.models import GuardSettings

RATE = 16_000
SOFT = Evidence(loudness=Loudness(SOFT_DB - 1, 30.0))
LOUD = Evidence(loudness=Loudness(-20.0, 30.0), sure=0.9, speech_s=6.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("The first is" + " the first is" * 30, 12.0),
        ("The " + "2020-" * 30 + "20", 10.0),
        ("You can also use the microphone" + " to use the microphone" * 12, 10.0),
        ('You can also use the "Videos" button' + ' to use the "Videos" button' * 9, 10.0),
        ("Oh, oh, oh, oh, oh, oh, oh,", 1.0),
        ("Oh," + " oh," * 44, 6.0),
    ],
)
def test_a_decoder_in_a_loop_is_refused(text: str, seconds: float) -> None:
    """The embedded model's own answers to white noise and to hum, and longer segments than those it took for them."""
    assert refuse(text, seconds) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("I", 0.5),
        ("No.", 0.56),
        ("Okay.", 0.6),
        ("This is very very very good.", 2.5),
        ("No, no, no, no, no.", 2.0),
        ("Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.", 9.0),
        ("One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve.", 6.0),
        ("zero seven seven zero zero nine zero zero one two three", 5.0),
        ("one zero zero zero zero zero zero", 3.5),
        ("12 12 12 34 34 34 56 56 56", 6.0),
        ("Yes, I think so. I think so, too. I think so because I think so.", 4.0),
        ("The quick brown fox jumps over the lazy dog, and the quick brown fox jumps over the lazy cat.", 6.0),
        ("Donaudampfschifffahrtsgesellschaftskapitän", 3.0),
        ("你好，世界", 1.2),
    ],
)
def test_what_people_dictate_passes(text: str, seconds: float) -> None:
    """Short words, emphasis, numbers, refrains and long words are typed."""
    assert refuse(text, seconds) is None


def test_more_text_than_can_be_said_is_refused() -> None:
    """A sentence cannot have been said in half a second; the reason names the time and not the text."""
    text = "Thank you very much for watching this video today."
    assert refuse(text, 0.5) == "more text than can be said in 0.5 s"
    assert refuse(text, len(text) / MAX_CHARACTERS_PER_SECOND) is None


@pytest.mark.parametrize("text", ["♪♪♪♪", "...", "- -", "?", "[Music]", "(applause)", "*sighs* [BLANK_AUDIO]"])
def test_text_without_a_word_is_refused(text: str) -> None:
    """Notes and stops are what the model makes of music; a tag says what is heard and not what is said."""
    assert refuse(text, 2.0) == "no words"


def test_a_person_may_dictate_a_tag_with_words() -> None:
    """What is in brackets beside words does not count against them."""
    assert refuse("Open the lid (the blue one).", 2.0) is None


@pytest.mark.parametrize(
    ("text", "seconds", "refused"),
    [
        ("今日はとても良い天気ですね", 2.0, False),
        ("今日はとても良い天気ですね" * 2, 2.0, True),
        ("안녕하세요 여러분", 1.5, False),
    ],
)
def test_a_syllable_counts_as_three_letters(text: str, seconds: float, refused: bool) -> None:
    """Thirteen Japanese letters are said in two seconds, twice as many are not."""
    assert (refuse(text, seconds) is not None) == refused


def test_the_time_is_that_of_speech_where_it_is_known() -> None:
    """A sentence of forty letters in five seconds, of which one key's click is all that the VAD took for speech."""
    text = "This is a sentence that nobody has said."
    assert refuse(text, 5.0) is None
    assert refuse(text, 5.0, Evidence(speech_s=2.0)) is None
    assert refuse(text, 5.0, Evidence(speech_s=0.2)) == "more text than can be said in 0.5 s"


def test_clicks_are_no_speech() -> None:
    """A segment of some length in which hardly any frame is speech; a short one, or one with pauses, may be."""
    assert refuse("You", 6.0, Evidence(speech_s=0.3)) == "speech in 0.3 s of 6.0 s only"
    assert refuse("Yes", 1.5, Evidence(speech_s=0.15)) is None
    assert refuse("Well, no", 6.0, Evidence(speech_s=1.0)) is None


def test_a_text_that_repeats_itself_is_refused_without_spaces_too() -> None:
    """Where no words can be told apart, a text that zlib makes small gives a loop away; what people say does not."""
    loop = "ごめんなさい" * 12
    assert compression_ratio(loop) > GuardSettings().compression_ratio
    assert refuse(loop, 30.0) == "the same phrase over and over"
    assert refuse(loop, 30.0, Evidence(settings=GuardSettings(compression_ratio=0.0))) is None


def test_a_guess_is_refused_where_the_model_has_a_floor() -> None:
    """By its mean log-probability; a model without a floor, or an engine that gives none, is not asked."""
    floor = GuardSettings(log_prob=-1.0)
    assert refuse("Maybe so.", 2.0, Evidence(log_prob=-1.4, settings=floor)) == (
        "a guess of the model (log-probability -1.40)"
    )
    assert refuse("Maybe so.", 2.0, Evidence(log_prob=-0.9, settings=floor)) is None
    assert refuse("Maybe so.", 2.0, Evidence(log_prob=-1.4)) is None
    assert refuse("Maybe so.", 2.0, Evidence(settings=floor)) is None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "ご視聴ありがとうございました"),
        ("en", "Продолжение следует"),
        ("de", "你好"),
        ("ru", "I would like to thank you all"),
        ("ja", "I would like to thank you all"),
        ("ru", "안녕하세요"),
        ("zh", "これはひらがなです"),
    ],
)
def test_another_writing_is_refused(language: str, text: str) -> None:
    """Of a language that is known beforehand; not where the model finds it out, nor where it may do as it likes."""
    assert refuse(text, 4.0, Evidence(language=language)) == f"not in the writing of language {language}"
    assert refuse(text, 4.0) is None
    assert refuse(text, 4.0, Evidence(language=language, settings=GuardSettings(scripts=False))) is None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The angle α is 30°, and μ is small."),
        ("en", "π"),
        ("en", "42"),
        ("de", "Straße, Äpfel, Größe"),
        ("vi", "Tôi đang nói tiếng Việt"),
        ("ru", "Открой Visual Studio Code и запусти GitHub Desktop"),
        ("ru", "Visual Studio Code"),
        ("ja", "今日はGitHubを使います"),
        ("ko", "안녕하세요"),
        ("zh", "打开 Visual Studio Code"),
        ("sr", "Dobar dan svima i hvala vam"),
        ("sr", "Добар дан свима"),
        ("am", "ሰላም ለሁላችሁ"),
    ],
)
def test_the_language_s_own_writing_passes(language: str, text: str) -> None:
    """With foreign names and signs in it; and any, for a language whose writing nobody has listed."""
    assert refuse(text, 5.0, Evidence(language=language)) is None


@pytest.mark.parametrize(
    "text",
    [
        "Thank you.", "Thanks for watching!", "Thank you. Thank you.", "you", "Untertitel im Auftrag des ZDF, 2020",
        "Спасибо за просмотр!", "ご視聴ありがとうございました。", "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
        "Sous-titres réalisés par la communauté d’Amara.org",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "evidence",
    [
        SOFT,
        Evidence(loudness=Loudness(-20.0, EVEN_DB - 1)),
        Evidence(sure=0.5, speech_s=3.0),
        Evidence(sure=0.9, speech_s=2.2),
    ],
)
def test_what_models_say_to_silence_is_refused_there(text: str, evidence: Evidence) -> None:
    """Where it is too soft, even, doubtful or sparse for speech, in any language, with any marks; and nowhere else."""
    assert refuse(text, 8.0, evidence) == "what the model says to silence"
    assert refuse(text, 8.0, LOUD) is None
    assert refuse(text, 8.0) is None


def test_more_than_a_known_phrase_is_typed_from_near_silence() -> None:
    """Somebody who whispers is heard; so is one whose model is known not to invent."""
    assert refuse("Thank you for the flowers.", 3.0, SOFT) is None
    tame = Evidence(loudness=SOFT.loudness, settings=GuardSettings(phrases=False))
    assert refuse("Thank you.", 3.0, tame) is None


def test_loudness_of_what_is_known() -> None:
    """A tone's level, half of it silent: -9 dB in its loudest tenth of a second, and all the contrast there is."""
    tone = (0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)).astype(np.float32)
    even = loudness(tone)
    assert even.level_db == pytest.approx(-9.03, abs=0.05)
    assert even.contrast_db == pytest.approx(0.0, abs=0.1)
    half = loudness(np.concatenate([tone, np.zeros(RATE, np.float32)]))
    assert half.level_db == pytest.approx(-9.03, abs=0.05)
    assert half.contrast_db > 100
    assert nearly_silent(1.0, Evidence(loudness=even))
    assert not nearly_silent(1.0, Evidence(loudness=half))


@pytest.mark.parametrize("samples", [0, 159, 160, 1600])
def test_digital_silence_is_nearly_silent(samples: int) -> None:
    """However short it is."""
    assert nearly_silent(1.0, Evidence(loudness=loudness(np.zeros(samples, np.float32))))


def test_nothing_is_held_against_a_segment_of_which_nothing_is_known() -> None:
    """No evidence is none of silence."""
    assert not nearly_silent(1.0, Evidence())


def test_no_reason_holds_a_word_of_the_text() -> None:
    """Reasons are logged."""
    word = "Xylophon"
    texts = [f"{word} {word} {word} " * 20, f"{word} " * 40, "Ксилофон и только"]
    reasons = [refuse(text, 1.0, Evidence(language="en", speech_s=0.9)) for text in texts]
    assert all(reasons)
    assert not any(word.lower() in str(reason).lower() or "Ксил" in str(reason) for reason in reasons)


@pytest.mark.parametrize(
    ("sure", "reheard", "refused"), [(0.65, True, True), (0.9, True, False), (0.65, False, False), (None, True, False)]
)
def test_what_was_heard_a_second_time_must_be_speech(sure: float | None, reheard: bool, refused: bool) -> None:
    """A word that is cut off is typed; noise that the model rambled about at first is not, however short it is then."""
    reason = refuse("I am", 2.0, Evidence(reheard=reheard, sure=sure, speech_s=1.5))
    assert (reason is not None) is refused
