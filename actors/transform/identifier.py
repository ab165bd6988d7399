"""Names for code out of words: camelCase, PascalCase, snake_case, kebab-case, CONSTANT_CASE."""

from __future__ import annotations

import re
from typing import Final

SEPARATORS: Final = {"camel": "", "pascal": "", "snake": "_", "kebab": "-", "constant": "_"}
"""What stands between two words, by the style."""
_PARTS: Final = re.compile(r"\w+")


def lengthened(style: str, word: str, *, begun: bool) -> str:
    """Return what a word adds to a name in a style of `SEPARATORS`; "" if it is nothing but marks ("&").

    Args:
        style: of the name.
        word: without the marks at its end; what is inside ("e-mail") parts it as well, but apostrophes.
        begun: whether the name has a word already.
    """
    parts = [part.lower() for part in _PARTS.findall(word.replace("'", "").replace("’", ""))]
    if not parts:
        return ""
    if style in {"camel", "pascal"}:
        small = 0 if begun or style == "pascal" else 1
        parts[small:] = [part.capitalize() for part in parts[small:]]
    elif style == "constant":
        parts = [part.upper() for part in parts]
    separator = SEPARATORS[style]
    return (separator if begun else "") + separator.join(parts)
