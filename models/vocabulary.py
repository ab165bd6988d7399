"""The vocabulary: one list of words and names, `[vocabulary] words`, in the form that each kind of engine takes.

*Beam search* (transducers on sherpa-onnx; greedy search takes no words). Phrases become nodes of an Aho-Corasick
automaton, and a path that follows one scores higher. They are spelled in the model's own units, which sherpa-onnx does
by itself if it is told which units these are and, for byte pairs, has their table (`bpe_vocab`), without which it must
not be told that they are some. A phrase with a letter that no unit has is half taken, with a note on stderr, so it is
left out here and can be told.
(k2-fsa.github.io/sherpa/onnx/hotwords, and `EncodeHotwords` in sherpa-onnx's `csrc/utils.cc`.)

*A prompt* (Whisper) is text that seems to have been said before. Whisper keeps its last 223 tokens (`n_ctx // 2 - 1` in
openai/whisper, `decoding.py`), so the words come in reverse: those that were listed first are kept.

*A context* (Qwen3-ASR) is named in the model's instruction; sherpa-onnx takes it with ASCII commas between the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

SPACE = "▁"
"""What SentencePiece writes for the space in front of a word."""
_SPECIAL = re.compile(r"<.*>|#\d+")  # blank, unknown, ends; icefall's #0 and #1 that part homophones
_TOKEN = re.compile(r"(.+)[ \t](\d+)\s*")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")

Unit = Literal["bpe", "cjkchar", "cjkchar+bpe"]


class Phrases(NamedTuple):
    """A vocabulary for a beam search."""

    text: str
    """For `create_stream(hotwords=...)`: phrases with slashes between them; empty where none is left."""
    left_out: tuple[str, ...]
    """Words with a letter that the model cannot write."""


def read_tokens(text: str) -> tuple[str, ...]:
    """Return the units of a `tokens.txt`, a unit and its number a line, in the order of their numbers.

    Raises:
        ValueError: a line has no number.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            parts = _TOKEN.fullmatch(line)
            if parts is None:
                raise ValueError(f"line {number} is no unit with its number")
            found.append((int(parts[2]), parts[1]))
    return tuple(unit for _, unit in sorted(found))


def modelling_unit(tokens: Iterable[str]) -> Unit:
    """Return what sherpa-onnx calls the units of a model: byte pairs, single letters, or both."""
    tokens = tuple(tokens)
    pairs = any(token.startswith(SPACE) and len(token) > 1 for token in tokens)
    signs = any(len(token) == 1 and _CJK.match(token) for token in tokens)
    return ("cjkchar+bpe" if signs else "bpe") if pairs else "cjkchar"


def bpe_vocab(tokens: Sequence[str]) -> str:
    """Return the table that sherpa-onnx wants for byte pairs (`bpe_vocab`), for a model that comes without one.

    SentencePiece writes into it what training merged first, as scores 0, -1, -2, ... in the order of the units
    (google/sentencepiece, `bpe_model_trainer.cc`: the score of a piece is minus its rank), so the units tell it.

    Args:
        tokens: the units, in the order of their numbers.
    """
    lines, rank = [], 0
    for token in tokens:
        if _SPECIAL.fullmatch(token):
            lines.append(f"{token}\t0\n")
        else:
            lines.append(f"{token}\t{-rank}\n")
            rank += 1
    return "".join(lines)


def for_beam(words: Sequence[str], tokens: Iterable[str]) -> Phrases:
    """Return the words as phrases for a beam search.

    A slash parts phrases, and what begins with a colon is a score, so neither is let through. A model that writes
    capitals only, or none, gets them.

    Args:
        words: of the vocabulary.
        tokens: the model's units.
    """
    letters = "".join(token for token in tokens if not _SPECIAL.fullmatch(token))
    cased = "".join(letter for letter in letters if letter.lower() != letter.upper())
    known = set(letters)
    kept, left_out = dict[str, None](), []
    for word in words:
        phrase = " ".join(part.lstrip(":") for part in re.sub(r"[/\s]+", " ", word).split() if part.strip(":"))
        if cased.isupper():
            phrase = phrase.upper()
        elif cased.islower():
            phrase = phrase.lower()
        if phrase and known.issuperset(phrase.replace(" ", "")):
            kept[phrase] = None
        else:
            left_out.append(word)
    return Phrases("/".join(kept), tuple(left_out))


def for_whisper(words: Sequence[str]) -> str:
    """Return the words as a prompt, the first one last; empty where there are none."""
    return f"{', '.join(reversed(words))}." if words else ""


def for_qwen3(words: Sequence[str]) -> str:
    """Return the words as the context that sherpa-onnx hands to Qwen3-ASR; empty where there are none.

    A comma within a word becomes a space: it would end it.
    """
    return ",".join(" ".join(word.replace(",", " ").split()) for word in words)
