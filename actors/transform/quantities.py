"""Numbers as they are written: signs, separators, units, currencies, phone numbers."""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.moments import COUNTED, Found
from sottovoce.actors.transform.numerals import Run, dotted, pointed, run
from sottovoce.actors.transform.vocabulary import DIGITS, OH, SCALES, is_number, listed
from sottovoce.actors.transform.words import Words

MINUS: Final = frozenset({"minus", "negative"})
_SYMBOLS: Final = {
    **dict.fromkeys(("dollar", "dollars"), "$"),
    **dict.fromkeys(("euro", "euros"), "€"),
    **dict.fromkeys(("pound", "pounds"), "£"),
    "yen": "¥",
    **dict.fromkeys(("rupee", "rupees"), "₹"),
}
_OTHERS: Final = listed(
    "order serial isbn issn account id code reference case ticket invoice tracking confirmation policy member"
    " membership part model barcode pin passport license licence booking receipt customer imei routing sku"
)
"""Digits are those of such a thing, and no telephone number's."""
CALLS: Final = listed("call dial phone ring text")
"""Before digits said one by one they make them a telephone number."""
_WEIGHED: Final = listed("lost gained weighs weighed weigh lift lifted lose gain of per")
"""Beside them pounds are no money."""
ENDS: Final = listed("comma period full question exclamation new close") | {""}
"""Commands after which nothing goes on; "" is the end of a breath."""
_CLOSING: Final = ENDS | listed("each more less extra please now for or")
"""What may follow "five dollars fifty"."""
MEASURED: Final = frozenset(
    f"{prefix}{unit}{plural}"
    for prefix in ("", "kilo", "mega", "giga", "tera", "milli", "micro", "nano", "centi")
    for unit in ("gram", "meter", "metre", "liter", "litre", "byte", "watt", "volt", "hertz", "second", "pixel")
    for plural in ("", "s")
    if prefix or unit in {"volt", "watt", "hertz"}
) | {"amps", "fps", "mph", "degrees"}
"""Units that are no words of every day: before them numbers are digits, while "six feet" stays."""
DASHES: Final = frozenset({"hyphen", "dash"})
REPEATED: Final = {"double": 2, "triple": 3}
"""Before a digit that is said for two or three: "double oh seven"."""


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
    if len(texts) == 1 and amount[-2:-1] == ".":  # three point five dollars
        amount += "0"
    end += 1
    if len(texts) == 1 and amount.replace(",", "").isdigit() and symbol in "$€£":
        cents = _cents(words, end)
        if cents is not None:
            amount, end = f"{amount}.{cents[0]:02}", cents[1]
    return Found([sign + symbol + amount, *texts[1:]], end)


def one_and_cents(words: Words, at: int) -> Found | None:
    """Return "a dollar fifty" as an amount; a dollar alone stays as it is said."""
    symbol = _SYMBOLS.get(words.next(at + 1), "")
    if symbol not in {"$", "€", "£"} or not words.last[at + 1]:
        return None
    cents = _cents(words, at + 2)
    return None if cents is None else Found([f"{symbol}1.{cents[0]:02}"], cents[1])


def halved(words: Words, at: int, spoken: Run) -> Found | None:
    """Return "two and a half" as 2.5 where a percent, a currency, a unit or a large number after it asks for it."""
    end = spoken.end + 3
    if words.word[spoken.end : end] != ["and", "a", "half"] or not all(words.link[spoken.end - 1 : end]):
        return None
    texts = [f"{spoken.joined}.5"]
    scale = words.word[end]
    if scale in SCALES and scale != "thousand":
        return with_unit(words, at, "", [*texts, scale], end + 1)
    found = with_unit(words, at, "", texts, end)
    return found if found.end > end or scale in MEASURED else None


def height(words: Words, spoken: Run) -> Found | None:
    """Return feet and inches, "six feet two inches" or "five foot ten", with both numbers as digits."""
    foot = words.next(spoken.end)
    if foot not in {"foot", "feet"} or not words.link[spoken.end]:
        return None
    rest = run(words, spoken.end + 1)
    if rest is None or len(rest.parts) != 1 or not 0 < rest.parts[0] < 12:
        return None
    after = words.next(rest.end)
    alone = foot == "foot" and spoken.parts[0] < 9 and after not in COUNTED
    return Found([spoken.joined, foot, rest.joined], rest.end) if alone or after in {"inch", "inches"} else None


def spelled(words: Words, at: int, *, apart: bool = False) -> Found | None:
    """Return digits said one by one, with "oh" and "double" anywhere; with `apart` also past an engine's commas."""
    text, end = "", at
    while end < len(words.word) and (end == at or words.link[end - 1] or (apart and words.shut[end - 1] == ",")):
        times = REPEATED.get(words.word[end], 0)
        start = end + (times > 0)
        word = words.word[start] if not times or words.link[end] else ""
        digit = "0" if word in OH else DIGITS.get(word)
        if digit is None:
            break
        text, end = text + str(digit) * (times or 1), start + 1
    if len(text) < 2 or not words.last[end - 1] or is_number(words.next(end)):
        return None
    return Found([text], end)


def hyphened(words: Words, found: Found) -> Found:
    """Return digits with those that were said behind "hyphen" or "dash": "555-1234"."""
    while words.next(found.end) in DASHES and words.link[found.end]:
        said = spelled(words, found.end + 1)
        if said is None:
            break
        found = Found([f"{found.texts[0]}-{said.texts[0]}"], said.end)
    return found


def figures(words: Words, at: int) -> Found | None:
    """Return the digits that an engine wrote at a word: "42", "3 point 5" as 3.5, "4 0 4" as 404."""
    text = words.word[at]
    if not text.replace(",", "").replace(".", "").isdecimal():
        return None
    parts, end = pointed(words, text, at + 1)
    if len(parts) > 1 or len(text) > 1:
        return Found([".".join(parts)], end)
    while (after := words.next(end)) in OH or (len(after) == 1 and after.isdecimal()):
        if after in OH and not (words.link[end] and len(words.word[end + 1]) == 1 and words.word[end + 1].isdecimal()):
            break
        text, end = text + ("0" if after in OH else after), end + 1
    return Found([text], end)


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
    ended = words.next(spoken.end) in _CLOSING
    return None if joint or not ended or spoken.parts[0] < 10 else (spoken.parts[0], spoken.end)


def cardinal_texts(value: int) -> list[str]:
    """Return a whole number as people write it: 1500, 12,300, 25 million."""
    for scale, size in (("trillion", 10**12), ("billion", 10**9), ("million", 10**6)):
        if value >= size and value % size == 0:
            return [str(value // size), scale]
    return [f"{value:,}" if value >= 10_000 else str(value)]


def phone(digits: str) -> str:
    """Return digits in the groups of a North American phone number where there are as many as one has."""
    if digits[:1] == "0":  # elsewhere in the world
        return digits
    if len(digits) == 7:
        return f"{digits[:3]}-{digits[3:]}"
    if len(digits) == 10:
        return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
    if len(digits) == 11 and digits[0] == "1":
        return f"1-{digits[1:4]}-{digits[4:7]}-{digits[7:]}"
    return digits


def dialled(words: Words, at: int, spoken: Run) -> Found | None:
    """Return a telephone number: seven, ten or eleven digits, one by one, after "number is" or "call"."""
    if not is_dialled(words, at):
        return None
    whole = spelled(words, at, apart=True) or Found([spoken.joined], spoken.end)
    plain = is_other(words, at)
    for digits, end in ((whole.texts[0], whole.end), (spoken.joined, spoken.end)):
        if phone(digits) != digits:
            return Found([digits if plain else phone(digits)], end)
    if spoken.spelt:
        joined = hyphened(words, Found([spoken.joined], spoken.end))
        return joined if len(joined.texts[0]) in {8, 12, 14} else None  # with the hyphens
    return None


def is_other(words: Words, at: int) -> bool:
    """Whether what is said before digits makes them something else than a telephone number."""
    return not _OTHERS.isdisjoint(words.word[max(at - 4, 0) : at])


def is_dialled(words: Words, at: int) -> bool:
    """Whether what is said next is a telephone number, if it is digits."""
    left = words.before(at)
    return left in CALLS or (left == "is" and words.before(at - 1) == "number")
