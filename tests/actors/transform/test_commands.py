"""Each row of the command table, as three kinds of engine hand it over."""

from __future__ import annotations

import re

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.context import Mode

ENGLISH = Transformer.load()

DICTATION = (
    ("so comma yes", "So, yes"),
    ("we left period they stayed full stop", "We left. They stayed."),
    ("really question mark", "Really?"),
    ("stop exclamation point now exclamation mark", "Stop! Now!"),
    ("note colon this semicolon that", "Note: this; that"),
    ("this dash that", "This - that"),
    ("this em dash that", "This—that"),
    ("well hyphen known", "Well-known"),
    ("wait ellipsis what three dots yes", "Wait... what... yes"),
    ("text open paren note close paren end", "Text (note) end"),
    ("text open parenthesis note close parenthesis", "Text (note)"),
    ("text open bracket note close bracket", "Text [note]"),
    ("text left bracket note right bracket", "Text [note]"),
    ("text open brace note close brace", "Text {note}"),
    ("text open angle note close angle", "Text <note>"),
    ("she said quote hello quote twice", 'She said "Hello" twice'),
    ("she said open quote hello close quote", 'She said "Hello"'),
    ("she said single quote hello single quote", "She said 'Hello'"),
    ("john apostrophe s dog", "John's dog"),
    ("rock n apostrophe roll", "Rock n'roll"),
    ("run backtick make test backtick now", "Run `make test` now"),
    ("code fence python new line", "```python\n"),
    ("triple backtick", "```"),
    ("it cost dollar sign 50", "It cost $50"),
    ("fifty percent sign", "Fifty%"),
    ("ada at sign example", "ada@example"),
    ("see hash sign 12", "See #12"),
    ("press pound sign 12", "Press #12"),
    ("x plus sign y", "X + y"),
    ("x minus sign y", "X - y"),
    ("x equals sign y", "X = y"),
    ("cat pipe sign grep", "Cat | grep"),
    ("salt ampersand pepper", "Salt & pepper"),
    ("note asterisk", "Note *"),
    ("hashtag winter", "#winter"),
    ("either slash or", "Either/or"),
    ("usr forward slash bin", "Usr/bin"),
    ("temp backslash file", "Temp\\file"),
    ("snake underscore name", "Snake_name"),
    ("cd tilde slash bin", "Cd ~/bin"),
    ("x caret 2", "X^2"),
    ("20 degree sign outside", "20° outside"),
    ("copyright sign 2026", "© 2026"),
    ("see section sign 5", "See §5"),
    ("bullet milk new line bullet eggs", "• Milk\n• Eggs"),
    ("bullet point milk", "• Milk"),
    ("x times y", "X * y"),
    ("x multiply sign y", "X * y"),
    ("x less than y", "X < y"),
    ("x greater than two", "X > two"),
    ("x less than or equal to y", "X <= y"),
    ("x greater than or equal y", "X >= y"),
    ("name less than sign 3", "Name < 3"),
    ("x double equals y", "X == y"),
    ("x triple equals y", "X === y"),
    ("x not equals y", "X != y"),
    ("x strict not equals y", "X !== y"),
    ("this double ampersand that", "This && that"),
    ("this double pipe that", "This || that"),
    ("total plus equals y", "Total += y"),
    ("total minus equals y", "Total -= y"),
    ("total times equals y", "Total *= y"),
    ("total divide equals y", "Total /= y"),
    ("x increment", "X++"),
    ("x decrement", "X--"),
    ("open bracket spread items close bracket", "[...items]"),
    ("name null coalesce other", "Name ?? other"),
    ("user optional chain name", "User?.name"),
    ("x fat arrow y", "X => y"),
    ("x thin arrow y", "X -> y"),
    ("x right arrow y left arrow z", "X → y ← z"),
    ("x up arrow y down arrow z", "X ↑ y ↓ z"),
    ("standard double colon vector", "Standard::vector"),
    ("apples new line oranges", "Apples\nOranges"),
    ("apples new paragraph oranges", "Apples\n\nOranges"),
    ("name tab age", "Name\tage"),
    ("pens et cetera comma and ink", "Pens etc., and ink"),
    ("pens et cetera period they left", "Pens etc. They left"),
    ("cats versus dogs", "Cats vs. dogs"),
    ("post script bring milk", "P.S. bring milk"),
    # escapes
    ("type literal comma here", "Type comma here"),
    ("type literally question mark here", "Type question mark here"),
    ("type the word period here", "Type period here"),
    ("say open paren", "Open paren"),
    ("type literal less than or equal to here", "Type less than or equal to here"),
    ("type literal all caps here", "Type all caps here"),
    ("they say quote hello quote", 'They say "Hello"'),
    # capitals
    ("this is caps on very loud caps off indeed", "This is VERY LOUD indeed"),
    ("the all caps nasa probe", "The NASA probe"),
    ("all caps sos new line", "SOS\n"),
    ("from capital r robert", "From Robert"),
    ("vitamin capital c helps", "Vitamin C helps"),
    ("no caps hello there", "hello there"),
    ("we read title case on the lord of the rings title case off today", "We read The Lord of the Rings today"),
    ("we read title case the lord of the rings comma today", "We read The Lord of the Rings, today"),
    ("set camel case user name comma please", "Set userName, please"),
    ("set snake case user name equals sign y", "Set user_name = y"),
    ("set kebab case user name period", "Set user-name."),
    ("set pascal case user name end case there", "Set UserName there"),
    ("set constant case max size", "Set MAX_SIZE"),
)

CODE = (
    ("x equals y plus z", "x = y + z"),
    ("user dot name", "user.name"),
    ("x times two", "x * two"),
    ("total less than size", "total < size"),
    ("total greater than or equal to size", "total >= size"),
    ("count increment", "count++"),
    ("count decrement", "count--"),
    ("spread items", "...items"),
    ("key rocket value", "key => value"),
    ("cat pipe grep", "cat | grep"),
)


def typed(text: str, mode: Mode = "dictation") -> str:
    """Return what an utterance writes on an empty page."""
    return ENGLISH.apply(text, Context(mode=mode))[0]


def styles(text: str, mode: Mode) -> list[str]:
    """Return an utterance as engines write it: with pauses around the commands, and with the commands' capitals."""
    _, _, steps = ENGLISH.explain(text, Context(mode=mode))
    fired = [step for step in steps if step.did in {"command", "case", "escape"}]
    pauses, capitals, at = "", "", 0
    for step in fired:
        begun = text.index(step.heard, at)
        before = text[at:begun].rstrip()
        pauses += (before + ", " if before else "") + step.heard + ", "
        capitals += text[at:begun] + step.heard.title()
        at = begun + len(step.heard)
    rest = text[at:].strip()
    if rest:
        pauses += rest
    else:  # a full stop after words, escaped ones too, ends their sentence
        pauses = pauses.rstrip(", ") + ("" if fired[-1].did == "escape" else ".")
    return [re.sub(", ,", ",", pauses), capitals + text[at:]]


@pytest.mark.parametrize(
    ("heard", "page", "mode"),
    [(*row, "dictation") for row in DICTATION] + [(*row, "code") for row in CODE],
)
def test_a_command_writes_the_same_for_every_engine(heard: str, page: str, mode: Mode) -> None:
    """Lower-case and bare, with commas and a full stop around the commands, with capitals: all write the same."""
    assert typed(heard, mode) == page
    for style in styles(heard, mode):
        # Behind a command that closes something, or is a word, the engine's full stop ends the sentence.
        ended = {page + "."} if page[-1] not in ".,;:?!…-–—\n" else set()
        assert typed(style, mode) in {page, *ended}, style
