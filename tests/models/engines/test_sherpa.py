"""The sherpa engine: what entry and settings ask for is done, and what the library would exit over is an exception."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sherpa_onnx
import toys

from sottovoce.models import Catalogue, EngineFailed, EngineSettings, LanguageUnknown, load_engine
from sottovoce.models.engines.sherpa_call import find_options, place, tell_language

MOONSHINE = Catalogue.load()["moonshine-tiny-en"]
Build = Callable[[str], toys.Toy]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named with its argument and the command that brings it."""
    with pytest.raises(EngineFailed, match=r"encoder .*encoder_model\.ort is not a file; run: sottovoce models pull"):
        load_engine(MOONSHINE, tmp_path)


def test_an_unknown_constructor_is_named(real: Callable[[str], Path]) -> None:
    """A constructor that this sherpa-onnx does not have is named with the version that lacks it."""
    entry = msgspec.structs.replace(MOONSHINE, constructor="from_the_future")
    with pytest.raises(EngineFailed, match=r"sherpa-onnx \d.* has no constructor from_the_future"):
        load_engine(entry, real("moonshine-tiny-en"))


def test_a_wrong_argument_is_named(real: Callable[[str], Path]) -> None:
    """An option that the constructor does not take is named."""
    entry = msgspec.structs.replace(MOONSHINE, options={"beams": 4})
    with pytest.raises(EngineFailed, match=r"from_moonshine_v2: .*beams"):
        load_engine(entry, real("moonshine-tiny-en"))


def test_a_hum_that_decodes_to_notes_is_a_result(real: Callable[[str], Path]) -> None:
    """A token that is a part of a character (hum comes out as notes) costs the tokens, not the process."""
    engine = load_engine(MOONSHINE, real("moonshine-tiny-en"))
    hum = (0.01 * np.sin(2 * np.pi * 50 * np.arange(16_000) / 16_000)).astype(np.float32)
    assert engine.decode(hum).text != ""
    engine.close()


@pytest.mark.parametrize("name", ["toy-ctc", "toy-transducer", "toy-tdt"])
def test_words_begin_when_they_were_said(toy: Build, name: str) -> None:
    """The words' times are those of the audio, to a frame of the model."""
    result = load_engine(*toy(name)).decode(toys.speech("low middle high"))
    assert [word.text for word in result.words] == ["low", "middle", "high"]
    assert [word.start_s for word in result.words] == pytest.approx(toys.onsets("low middle high"), abs=0.08)


def test_a_model_that_says_how_long_ends_words_there(toy: Build) -> None:
    """A TDT model's word ends with its last token's length, not where the next word begins."""
    result = load_engine(*toy("toy-tdt")).decode(toys.speech("low high"))
    assert result.words[0].end_s == pytest.approx(result.words[0].start_s + 0.08)


def test_a_transducer_tells_how_sure_it_is(toy: Build) -> None:
    """The mean log-probability of the tokens is given, and is lower where the audio is weaker."""
    engine = load_engine(*toy("toy-transducer"))
    clear, faint = (engine.decode(gain * toys.speech("low")) for gain in (np.float32(1.0), np.float32(0.2)))
    assert clear.text == faint.text == "low"
    assert clear.log_prob is not None
    assert faint.log_prob is not None
    assert faint.log_prob < clear.log_prob < 0


def test_the_language_is_told_to_the_model(toy: Build) -> None:
    """A model of several hears the one that is set, and else finds out, and the result says which it was."""
    told = load_engine(*toy("toy-whisper"), EngineSettings(language="de")).decode(toys.speech("low"))
    assert (told.text, told.language) == ("eins", "de")
    found = load_engine(*toy("toy-whisper")).decode(toys.speech("low"))
    assert (found.text, found.language) == ("one", "en")


@pytest.mark.parametrize(
    ("constructor", "option", "language", "told"),
    [
        ("from_whisper", "language", "", {"language": ""}),
        ("from_whisper", "language", "de", {"language": "de"}),
        ("from_nemo_canary", "src_lang", "", {}),
        ("from_nemo_canary", "src_lang", "de", {"src_lang": "de", "tgt_lang": "de"}),
        ("from_nemo_ctc", "", "de", {}),
    ],
)
def test_each_family_is_told_the_language_in_its_way(
    constructor: str, option: str, language: str, told: dict[str, str]
) -> None:
    """Whisper finds out unless it is told, and Canary writes what is said, not a translation of it."""
    entry = msgspec.structs.replace(MOONSHINE, constructor=constructor, language_option=option, languages=("de", "en"))
    known = inspect.signature(getattr(sherpa_onnx.OfflineRecognizer, constructor)).parameters
    assert tell_language(entry, EngineSettings(language=language), known) == told


def test_a_language_that_the_model_does_not_know_is_refused(toy: Build) -> None:
    """sherpa-onnx would end the process at the first decode."""
    with pytest.raises(LanguageUnknown, match=r"toy-whisper does not know language 'fr', it knows de, en"):
        load_engine(*toy("toy-whisper"), EngineSettings(language="fr"))


def test_a_model_that_cannot_be_told_the_language_is_not(toy: Build) -> None:
    """A language is an argument only where the entry says which."""
    assert load_engine(*toy("toy-ctc"), EngineSettings(language="en")).decode(toys.speech("low")).text == "low"


def test_hotwords_change_what_a_beam_search_finds(toy: Build, capfd: pytest.CaptureFixture[str]) -> None:
    """Of two words that sound alike the one that is wanted is heard; a word that cannot be spelled is let be."""
    entry, directory = toy("toy-transducer")
    beam = msgspec.structs.replace(entry, hotwords="beam")
    audio = toys.speech("low high")
    assert load_engine(beam, directory).decode(audio).text == "low high"
    wanted = load_engine(beam, directory, EngineSettings(hotwords=("Hie", "Świnoujście"))).decode(audio)
    assert wanted.text == "low hie"
    assert capfd.readouterr() == ("", "")


def test_hotwords_leave_other_models_greedy(toy: Build) -> None:
    """Where the entry does not say that the model has a beam search, hotwords change nothing (TDT came out empty)."""
    engine = load_engine(*toy("toy-tdt"), EngineSettings(hotwords=("hie",)))
    assert engine.decode(toys.speech("low high")).text == "low high"


def test_an_option_may_name_the_directory() -> None:
    """`{directory}` as the value of an option is where the model's files are; anything else is itself."""
    entry = msgspec.structs.replace(MOONSHINE, options={"tokenizer": "{directory}", "max_new_tokens": 64})
    assert find_options(entry, Path("/models/qwen")) == {"tokenizer": "/models/qwen", "max_new_tokens": 64}


def test_a_card_that_cannot_be_used_is_told(toy: Build) -> None:
    """CUDA asked of a build for the processor decodes there, and says so; nothing is said where nothing was asked."""
    engine = load_engine(*toy("toy-ctc"), EngineSettings(provider="cuda"))
    assert engine.decode(toys.speech("low")).text == "low"
    assert engine.providers == ("CPUExecutionProvider",)
    assert "cuda was asked for, but sherpa-onnx" in engine.fallback
    assert load_engine(*toy("toy-ctc")).fallback == ""


def test_threads_do_not_spin() -> None:
    """sherpa-onnx is told so for every model, in a file that it can read."""
    for heavy in (False, True):
        name, _, path = place(EngineSettings(), heavy=heavy)[0].partition(":")
        assert name == "cpu"
        lines = Path(path).read_text().splitlines()
        assert "SessionConfig.session.intra_op.allow_spinning=0" in lines
        assert ("EnableCpuMemArena=0" in lines) == heavy
