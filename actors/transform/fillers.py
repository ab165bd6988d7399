"""Sounds that people make while they think.

Each language has its own: "um" is a word in German and in Portuguese, "er" in German. Words are none: "err" is one.
"""

from __future__ import annotations

from typing import Final

FILLERS: Final[dict[str, frozenset[str]]] = {
    "en": frozenset({"um", "umm", "uhm", "uh", "uhh", "er", "erm"}),
    "de": frozenset({"äh", "ähh", "ähm", "öh", "öhm"}),
    "es": frozenset({"ehm", "eem"}),
    "fr": frozenset({"euh", "heu"}),
    "it": frozenset({"ehm", "uhm"}),
    "pt": frozenset({"ahn", "hã"}),
    "ru": frozenset({"эм", "эмм", "ээ", "эээ"}),
}
"""By language, in lower case."""
ANSWERS: Final = frozenset({("uh", "huh"), ("uh", "oh")})
"""A filler and the word behind it that together are an answer, in lower case: they stay."""
NAMING: Final = frozenset(
    {"word", "literal", "literally", "wort", "wörtlich", "palabra", "literalmente", "mot", "parola", "palavra", "слово"}
)
"""Behind them, in any language, a filler is named and stays: "the word um"."""
