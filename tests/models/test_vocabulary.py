"""The vocabulary: what each kind of engine is given of one list of words."""

from __future__ import annotations

import pytest

from sottovoce.models.vocabulary import bpe_vocab, for_beam, for_qwen3, for_whisper, modelling_unit, read_tokens

UPPER = ("<blk>", "<unk>", "▁THE", "▁S", "E", "▁", *"ABCDFGHIJKLMNOPQRSTUVWXYZ")
MIXED = ("<unk>", "▁the", "▁", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'", "<blk>")


def test_units_are_read_in_the_order_of_their_numbers() -> None:
    """A line each, the number last; the unit itself may be a blank."""
    assert read_tokens("▁the 1\n<blk> 0\n  2\ne 3\n") == ("<blk>", "▁the", " ", "e")


def test_a_line_without_a_number_is_told() -> None:
    """By its own."""
    with pytest.raises(ValueError, match="line 2 is no unit"):
        read_tokens("a 0\nbroken\n")


@pytest.mark.parametrize(
    ("tokens", "unit"),
    [
        (UPPER, "bpe"),
        (MIXED, "bpe"),
        (("<blk>", *"abc "), "cjkchar"),
        (("<blk>", "你", "好"), "cjkchar"),
        (("<blk>", "▁HE", "L", "你"), "cjkchar+bpe"),
    ],
)
def test_the_modelling_unit_is_told_by_the_units(tokens: tuple[str, ...], unit: str) -> None:
    """Pairs begin with SentencePiece's blank; signs are single Chinese letters."""
    assert modelling_unit(tokens) == unit


def test_scores_of_pairs_follow_their_order() -> None:
    """As in a table of SentencePiece: special units 0, then 0, -1, -2 in the order in which they were merged."""
    assert bpe_vocab(("<blk>", "<unk>", "▁t", "he", "#0", "e")) == "<blk>\t0\n<unk>\t0\n▁t\t0\nhe\t-1\n#0\t0\ne\t-2\n"


def test_phrases_take_the_case_that_the_model_writes() -> None:
    """A model of capitals gets capitals, and a word that is there in two cases once; one of both is left alone."""
    assert for_beam(["Ada Lovelace", "GitHub", "GITHUB"], UPPER).text == "ADA LOVELACE/GITHUB"
    assert for_beam(["Ada Lovelace", "GitHub"], MIXED).text == "Ada Lovelace/GitHub"
    assert for_beam(["Ada"], ("▁", *"abcd")).text == "ada"


def test_what_parts_phrases_is_not_in_them() -> None:
    """A slash is a blank, and a colon that would begin a score is dropped."""
    assert for_beam(["read/write", ":wq", ":", "a  b"], MIXED) == ("read write/wq/a b", (":",))


def test_a_word_that_the_model_cannot_write_is_left_out() -> None:
    """And told; half of it would be listened for otherwise."""
    phrases = for_beam(["Straße", "Москва", "street"], MIXED)
    assert phrases == ("street", ("Straße", "Москва"))
    assert for_beam([], MIXED) == ("", ())


def test_a_prompt_ends_in_the_most_important_word() -> None:
    """Whisper keeps the end of a prompt that is too long."""
    assert for_whisper(["Sottovoce", "Ada Lovelace"]) == "Ada Lovelace, Sottovoce."
    assert for_whisper([]) == ""


def test_a_context_has_no_commas_but_those_between_words() -> None:
    """Each ends a word there."""
    assert for_qwen3(["Sottovoce", "Lovelace, Ada"]) == "Sottovoce,Lovelace Ada"
    assert for_qwen3([]) == ""
