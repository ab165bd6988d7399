"""Numbers as they are written: signs, separators, units, currencies, phone numbers."""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.moments import Found
from sottovoce.actors.transform.numerals import SCALES, Words, dotted, listed, run

MINUS: Final = frozenset({"minus", "negative"})
_SYMBOLS: Final = {
    **dict.fromkeys(("dollar", "dollars"), "$"),
    **dict.fromkeys(("euro", "euros"), "€"),
    **dict.fromkeys(("pound", "pounds"), "£"),
    "yen": "¥",
    **dict.fromkeys(("rupee", "rupees"), "₹"),
}
_WEIGHED: Final = listed("lost gained weighs weighed weigh lift lifted lose gain of per")
"""Beside them pounds are no money."""


def quantity(words: Words, at: int, *, plain: bool) -> Found | None:
    """Return a number that is wanted as digits, with its sign, its decimals and its unit."""
    sign = "-" if words.word[at] in MINUS and words.link[at] else ""
    spoken = run(words, at + len(sign))
    if spoken is None:
        return None
    parts, end = dotted(words, spoken)
    if len(parts) > 1:
        texts = [".".join(parts)]
        scale = words.next(end)
        if len(parts) == 2 and scale in SCALES and words.last[end]:
            texts.append(scale)
            end += 1
    elif len(spoken.parts) > 1 or plain:
        texts = [spoken.joined]
    else:
        texts = cardinal_texts(spoken.parts[0])
    return with_unit(words, at, sign, texts, end)


def with_unit(words: Words, at: int, sign: str, texts: list[str], end: int) -> Found:
    """Return a number with the percent or the currency that follows it."""
    after = words.next(end)
    behind = words.word[end + 1] if after and words.link[end] else ""
    texts = [sign + texts[0], *texts[1:]]
    if behind == "sign":  # a command of its own
        return Found(texts, end)
    if len(texts) == 1 and after == "percent":
        return Found([texts[0] + "%"], end + 1)
    if len(texts) == 1 and after == "per" and behind == "cent":
        return Found(texts, end) if words.next(end + 2) == "sign" else Found([texts[0] + "%"], end + 2)
    symbol = _SYMBOLS.get(after)
    if symbol is None or (symbol == "£" and (words.before(at) in _WEIGHED or behind in _WEIGHED)):
        return Found(texts, end)
    if after == "pound" and texts != ["1"] and behind not in {"note", "notes", "coin", "coins"}:
        return Found(texts, end)
    amount = texts[0].removeprefix("-")
    amount = f"{int(amount):,}" if amount.isdigit() and len(amount) < 16 else amount
    end += 1
    if len(texts) == 1 and amount.replace(",", "").isdigit() and symbol in "$€£":
        cents = _cents(words, end)
        if cents is not None:
            amount, end = f"{amount}.{cents[0]:02}", cents[1]
    return Found([sign + symbol + amount, *texts[1:]], end)


def _cents(words: Words, at: int) -> tuple[int, int] | None:
    """Return "[and] fifty cents", or "fifty" alone at the end of a breath, said after an amount."""
    joint = words.next(at) == "and"
    if not words.link[at - 1] or (joint and not words.link[at]):
        return None
    spoken = run(words, at + joint)
    if spoken is None or len(spoken.parts) != 1 or not 0 < spoken.parts[0] < 100:
        return None
    if words.next(spoken.end) in {"cent", "cents", "pence"}:
        return spoken.parts[0], spoken.end + 1
    return None if joint or words.link[spoken.end - 1] or spoken.parts[0] < 10 else (spoken.parts[0], spoken.end)


def cardinal_texts(value: int) -> list[str]:
    """Return a whole number as people write it: 1500, 12,300, 25 million."""
    for scale, size in (("trillion", 10**12), ("billion", 10**9), ("million", 10**6)):
        if value >= size and value % size == 0:
            return [str(value // size), scale]
    return [f"{value:,}" if value >= 10_000 else str(value)]


def phone(digits: str) -> str:
    """Return digits in the groups of a North American phone number where there are as many as one has."""
    if len(digits) == 7:
        return f"{digits[:3]}-{digits[3:]}"
    if len(digits) == 10:
        return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
    if len(digits) == 11 and digits[0] == "1":
        return f"1-{digits[1:4]}-{digits[4:7]}-{digits[7:]}"
    return digits
