"""What an utterance leaves behind for the next one."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from sottovoce.actors.transform.heard import TERMINATORS
from sottovoce.protocol import messages

Case: TypeAlias = Literal["start", "inside", "free"]
"""Where the next word stands: `start` begins a sentence and takes a capital; `inside` goes on with one, so a capital
that the engine gave its first word may go; `free` is unknown (after "...", after an abbreviation), so the engine's own
spelling stands."""

Mode: TypeAlias = messages.Mode

Caps: TypeAlias = Literal["", "upper", "title", "lower"]
"""What was switched on for all words until it is switched off."""

Style: TypeAlias = Literal[
    "", "upper", "lower", "capital", "camel", "pascal", "snake", "kebab", "constant", "title"
]  # fmt: skip
"""What is asked for the words to come: the first three for one word, the others for a phrase."""


class Context(msgspec.Struct, frozen=True):
    """The state of the text at the cursor. It survives a restart as JSON and holds one dictated character at most.

    The defaults are those of an empty page.
    """

    glue: bool = True
    """The next text takes no space before it: empty page, new line, after an opening bracket or a hyphen."""
    case: Case = "start"
    mark: str = ""
    """The punctuation mark that was written last, if the text ends in one."""
    spoken: bool = False
    """Whether that mark was said, not added by the engine: an engine's mark is not doubled by the same one said next
    ("Hello." and, after a pause, "Period.")."""
    open: tuple[str, ...] = ()
    """Names of the pairs (`quote`, `single quote`) that are open, for the words that open and close by turns."""
    line: bool = True
    """The next text begins a line: empty page, or after a new line."""
    caps: Caps = ""
    pending: Style = ""
    """Asked for, while no word has come yet that it could be done to ("all caps", a pause, "nasa")."""
    mode: Mode = "dictation"

    def mended(self, mark: str) -> Context | None:
        """Return the context with another mark, "" for none, at its end.

        None where the text does not end in a full stop or the like of the engine's own, which alone may be taken back.
        """
        if self.spoken or self.glue or self.case != "start" or self.mark not in TERMINATORS:
            return None
        return msgspec.structs.replace(self, mark=mark, case="inside")

    def switched(self, mode: Mode) -> Context:
        """Return the context with another mode. What was spelled is a word, apart from the next one."""
        if mode == self.mode:
            return self
        spelled = self.mode == "spelling" and self.spoken and not self.line
        return msgspec.structs.replace(self, mode=mode, pending="", glue=self.glue and not spelled)
