"""Corrections written to TOML and CSV and read again, and what is said of files that are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.protocol.correction import MODES, Correction
from sottovoce.protocol.corrections_file import FORMATS, FileProblem, Format, conflicts, read, write

_WORD = st.text(st.characters(categories=("L", "N", "P", "S")), max_size=8).map(lambda text: f"{text}a".strip())
_MODES = st.sets(st.sampled_from(MODES)).map(lambda modes: tuple(sorted(modes)))
_CORRECTION = st.builds(
    Correction,
    heard=st.lists(_WORD, min_size=1, max_size=5).map(" ".join),
    write=st.text(st.characters(exclude_categories=("C",)) | st.sampled_from("\n\t"), max_size=20).map(
        lambda t: f"{t}z"
    ),
    match=st.sampled_from(["exact", "sound"]),
    case=st.sampled_from(["written", "heard", "upper", "lower"]),
    modes=_MODES,
    enabled=st.booleans(),
    uses=st.integers(0, 2**40),
    used_ns=st.none() | st.integers(0, 2**62),
    added_ns=st.integers(0, 2**62),
)


@pytest.mark.parametrize("form", FORMATS)
@given(corrections=st.lists(_CORRECTION, max_size=5, unique_by=lambda one: one.key))
def test_nothing_is_lost(form: Format, corrections: list[Correction]) -> None:
    """What was written is read as the same corrections, each with the line on which it begins."""
    text = write(corrections, form)
    found = read(text, form)
    assert [correction for _, correction in found] == corrections
    for line, correction in found:
        said = "\n".join(text.split("\n")[line - 1 : line + 1])
        if form == "toml":
            assert said.startswith("[[correction]]\n")
            said = said.replace("\\\\", "\\").replace('\\"', '"')
        else:
            assert line > 1
            said = said.replace('""', '"')
        assert correction.heard in said


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("toml", '[[correction]]\nheard = "arkon"\nwrite = "Archon"\n'),
        ("csv", "\ufeffwrite,heard\r\nArchon,arkon\r\n\r\n"),
        ("csv", "heard,write,modes,enabled,uses\narkon,Archon,,,\n"),
    ],
)
def test_what_is_not_said_has_its_default(form: Format, text: str) -> None:
    """Phrase and text are enough, columns in any order, from a spreadsheet too."""
    assert [one.correction for one in read(text, form)] == [Correction(heard="arkon", write="Archon")]


_TWO = '[[correction]]\nheard = "arkon"\nwrite = "Archon"\n\n[[correction]]\n'


_STRING = '[[correction]]\nheard = "tag"\nwrite = """a\n[[correction]]\nb"""\n'


@pytest.mark.parametrize(
    ("form", "text", "reasons"),
    [
        ("toml", "[[correction", ["not TOML"]),
        ("toml", "[other]\n", ["'other' is not known"]),
        ("toml", "correction = 3\n", ["not a list"]),
        ("toml", "correction = [3]\n", ["correction 1: not a table"]),
        ("toml", _TWO, ["line 5:", "heard"]),
        ("toml", _TWO + 'heard = "x"\nwrite = "y"\nmatch = "guess"\n', ["line 8:", "guess"]),
        ("toml", _TWO + 'heard = "x"\nwrite = "y"\ncolour = "red"\n', ["line 8:", "colour"]),
        ("toml", _TWO + 'heard = "x"\nwrite = "y"\nnumber = 3\n', ["line 5: a number"]),
        ("toml", _TWO + 'heard = "Arkon"\nwrite = "y"\n', ["line 5: 'Arkon' is there twice, first in line 1"]),
        ("toml", _TWO + 'heard = "x"\nwrite = "y"\nmodes = ["cod"]\n', ["line 5: ", "mode 'cod'", "code"]),
        ("toml", _STRING + '[[correction]]\nheard = ""\nwrite = "x"\n', ["line 6: ''"]),
        (
            "toml",
            _STRING + '[[correction]]\nheard = "Tag"\nwrite = "x"\n',
            ["line 6: 'Tag' is there twice, first in line 1"],
        ),
        ("csv", "heard,write,modes\na,b,\nc,d,code spelling\n", ["line 3: ", "mode 'spelling'"]),
        ("csv", "", ["line 1:", "heard and write"]),
        ("csv", "heard,colour\n", ["line 1:", "colour"]),
        ("csv", "heard,write,write\n", ["each name once"]),
        ("csv", 'heard,write\na,"b\nc"\nd\n', ["line 4: 1 fields"]),
        ("csv", 'heard,write\na,b\nd,"e\n', ["line 3: not CSV"]),
        ("csv", "heard,write,uses\na,b,many\nc,d,-1\n", ["line 2: uses", "line 3: uses"]),
        ("csv", "heard,write,enabled\na,b,perhaps\n", ["line 2: enabled"]),
        ("csv", "heard,write\n,b\nA,c\na,d\n", ["line 2:", "line 4: 'a' is there twice, first in line 3"]),
    ],
)
def test_a_wrong_file_is_refused_with_its_lines(form: Format, text: str, reasons: list[str]) -> None:
    """All that is wrong is told at once, by line."""
    with pytest.raises(FileProblem) as caught:
        read(text, form)
    for reason in reasons:
        assert reason in str(caught.value)


def test_conflicts_are_told_by_line() -> None:
    """Only what says something else of the same phrase in the same modes is a conflict; use counts are none."""

    def one(heard: str, text: str, **more: Any) -> Correction:
        return Correction(heard=heard, write=text, **more)

    there = [one("arkon", "Archon", uses=5), one("ada", "Ada"), one("x", "y", modes=("code",))]
    file = write([one("Arkon", "Archon"), one("ADA", "Aida"), one("x", "z")], "csv")
    (conflict,) = conflicts(read(file, "csv"), there)
    assert (conflict.line, conflict.correction.write, conflict.other.write) == (3, "Aida", "Ada")
