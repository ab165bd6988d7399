"""The configuration file: what it may say, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sottovoce.protocol.config import Config, load_config
from sottovoce.protocol.exceptions import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "config.toml"


def test_defaults(file: Path) -> None:
    """A missing file and an empty one both mean all defaults."""
    assert load_config(file) == Config()
    file.write_text("# nothing yet\n")
    assert load_config(file) == Config()


def test_defaults_are_valid() -> None:
    """The defaults keep to their own bounds: written out and read in, they are accepted and mean the same."""
    assert msgspec.convert(msgspec.to_builtins(Config()), Config) == Config()


def test_values(file: Path) -> None:
    """What is set is set, and everything beside it keeps its default."""
    file.write_text('[vad]\nendpoint = 0.7\n[stt.final]\nmodel = "parakeet"\nthreads = 4\n[history]\nkeep = "none"\n')
    config = load_config(file)
    assert config.vad.endpoint == 0.7
    assert config.vad.threshold == Config().vad.threshold
    assert (config.stt.final.model, config.stt.final.threads) == ("parakeet", 4)
    assert config.stt.draft == Config().stt.draft
    assert config.history.keep == "none"


def test_whole_numbers_are_seconds(file: Path) -> None:
    """`endpoint = 1` is as good as `1.0`."""
    file.write_text("[vad]\nendpoint = 1\n")
    assert load_config(file).vad.endpoint == 1.0


def refusal(file: Path, content: str | bytes) -> str:
    """Return what is said of a file with this content."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert str(file) in str(caught.value)
    assert "sottovoce config show" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "named", "at"),
    [
        ("[vad]\nthresold = 0.4", "`thresold`", "$.vad"),
        ("[stt.final]\nmodle = 'x'", "`modle`", "$.stt.final"),
        ("[injekt]\nfile = 'x'", "`injekt`", ""),
        ("colour = 1", "`colour`", ""),
    ],
)
def test_unknown_key(file: Path, content: str, named: str, at: str) -> None:
    """A key that there is none of is an error that names it and the table it stands in."""
    text = refusal(file, content)
    assert f"unknown field {named}" in text
    assert at in text


@pytest.mark.parametrize(
    ("content", "at"),
    [
        ("[vad]\nthreshold = 1.0", "$.vad.threshold"),
        ("[vad]\nthreshold = 0.0", "$.vad.threshold"),
        ("[vad]\nthreshold = nan", "$.vad.threshold"),
        ("[vad]\nendpoint = -0.1", "$.vad.endpoint"),
        ("[vad]\nendpoint = inf", "$.vad.endpoint"),
        ("[vad]\nendpoint = nan", "$.vad.endpoint"),
        ("[vad]\nmax_segment = 90.0", "$.vad.max_segment"),
        ("[vad]\nmodel = 6", "$.vad.model"),
        ("[capture]\nring_seconds = 1", "$.capture.ring_seconds"),
        ("[stt.final]\nthreads = -1", "$.stt.final.threads"),
        ("[memory]\nram_high = 0", "$.memory.ram_high"),
        ("[memory]\nram_high = 95", "$.memory"),
        ("[stt.draft]\nthreads = 1.5", "$.stt.draft.threads"),
        ("[stt.draft]\nenabled = 1", "$.stt.draft.enabled"),
        ("[transform]\nlanguage = 'English'", "$.transform.language"),
        ('[transform]\nlanguage = "en\\n"', "$.transform.language"),
        ("[inject]\nbackends = ['file', 'telepathy']", "$.inject.backends[1]"),
        ("[inject]\nbackends = []", "$.inject.backends"),
        ("[inject]\nbackends = 'file'", "$.inject.backends"),
        ("[history]\nkeep = '30'", "$.history.keep"),
        ("[history]\nkeep = '0d'", "$.history.keep"),
        ('[history]\nkeep = "30d\\n"', "$.history.keep"),
        ("[warden]\nrestarts = 0", "$.warden.restarts"),
        ("[hook]\ncommand = 'a string'", "$.hook.command"),
        ("[hook]\ncommand = ['']", "$.hook"),
        ("[hook]\ntimeout = 60", "$.hook.timeout"),
        ("[hook]\nenvironment = ['A=1']", "$.hook.environment[0]"),
        ("[rewrite]\nurl = 'ftp://host/v1'", "$.rewrite.url"),
        ("[rewrite]\nurl = 'https://host/v1'", "$.rewrite"),
        ("[rewrite]\nname = 'formal'", "$.rewrite"),
        ("[rewrite]\ntoken_file = 'a'\ntoken_env = 'B'", "$.rewrite"),
        ("[rewrite.parameters]\nmessages = 'x'", "$.rewrite"),
        ("[log]\nlevel = 'loud'", "$.log.level"),
        ("log = 'debug'", "$.log"),
    ],
)
def test_wrong_value(file: Path, content: str, at: str) -> None:
    """A value of the wrong type or out of its bounds is an error that names its path."""
    assert f"`{at}`" in refusal(file, content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[transform]\nnumbers = 'always'", "'explicit', 'natural', 'off'"),
        ("[vad]\nendpoint = 'soon'", "'balanced', 'fast', 'patient', or a number"),
        ("[inject]\nbackends = ['auto', 'telepathy']", "'auto', 'file', 'stdout', 'wtype', 'xdotool'"),
        (
            "[[transform.applications]]\nmatch = 'x'\nmode = 'loud'",
            "'code', 'command', 'dictation', 'spelling', 'verbatim'",
        ),
    ],
)
def test_the_words_that_a_key_takes_are_named(file: Path, content: str, words: str) -> None:
    """Where a key takes one of a few words, and another was set, the error says which they are."""
    assert f"; it may be {words}; `sottovoce config show`" in refusal(file, content)


@pytest.mark.parametrize("keep", ["1d", "30d", "9999d", "session", "none"])
def test_keep(file: Path, keep: str) -> None:
    """History is kept for days, for the session, or not at all."""
    file.write_text(f"[history]\nkeep = '{keep}'\n")
    assert load_config(file).history.keep == keep


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[vad]\nrelease = 0.6", "vad.release must not exceed vad.threshold"),
        ("[vad]\nthreshold = 0.3", "vad.release must not exceed vad.threshold"),
        ("[vad]\npause = 0.8\nendpoint = 0.5", "vad.pause must not exceed vad.endpoint"),
        ("[inject]\nbackends = ['wtype', 'file']", "inject.file is empty"),
        ("[hook]\ncommand = ['x']\n[warden]\nbusy_limit = 1", "hook.timeout must be below warden.busy_limit"),
    ],
)
def test_fields_that_contradict_each_other(file: Path, content: str, says: str) -> None:
    """Values that are each in bounds and cannot hold together are refused with the relation that they break."""
    text = refusal(file, content)
    assert says in text
    assert "$." in text


@pytest.mark.parametrize(
    "content", ["[vad", "x = ", "[vad]\n[vad]\n", b"\xff\xfe", b"\0", "x = " + "[" * 5000 + "]" * 5000]
)
def test_not_toml(file: Path, content: Any) -> None:
    """What is not TOML, or not UTF-8, or nested beyond reason, is a ConfigError that names the file."""
    refusal(file, content)


def test_unreadable(tmp_path: Path) -> None:
    """A folder in the place of the file cannot be read, and the reason is said."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load_config(tmp_path / "file" / "config.toml")


def test_the_vocabulary_is_one_list(file: Path) -> None:
    """Words and names, in the order of their weight; what is in two cases is two words."""
    file.write_text('[vocabulary]\nwords = ["Sottovoce", "Ada Lovelace", "GitHub", "github", "C++", "你好"]\n')
    assert load_config(file).vocabulary.words == ("Sottovoce", "Ada Lovelace", "GitHub", "github", "C++", "你好")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('["a", "b", "a"]', "word 3 is there twice"),
        ('["a", " b"]', "word 2 is blank, or has blanks around it"),
        ('["--"]', "word 1 is blank"),
        ('[""]', "vocabulary.words"),
        ('["a\\tb"]', "vocabulary.words"),
        ('["a\\u0000"]', "vocabulary.words"),
        (f'["{"x" * 65}"]', "vocabulary.words"),
        (f"{[str(number) for number in range(501)]}", "vocabulary.words"),
        ('"a"', "vocabulary.words"),
    ],
)
def test_words_of_which_no_engine_can_make_anything_are_refused(file: Path, words: str, said: str) -> None:
    """Blank, twice, with control characters, too long, too many, no list; told by number, since words are private."""
    assert said in refusal(file, f"[vocabulary]\nwords = {words}\n")


@pytest.mark.parametrize("language", ["", "en", "ru", "yue"])
def test_a_language_may_be_locked(file: Path, language: str) -> None:
    """Or found out by the model."""
    file.write_text(f'[stt]\nlanguage = "{language}"\n')
    assert load_config(file).stt.language == language


@pytest.mark.parametrize("language", ["English", "EN", "e", "auto", "en\\n"])
def test_what_is_no_language_is_refused(file: Path, language: str) -> None:
    """A name, capitals, a word for "any"."""
    assert "stt.language" in refusal(file, f'[stt]\nlanguage = "{language}"\n')
