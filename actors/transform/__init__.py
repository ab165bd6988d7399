"""From what an engine heard to what is typed: spoken punctuation, spacing, capitals. Pure, once the rules are read.

`Transformer.load("en").apply(text, Context())` returns the characters to type and the context for the next utterance.
"""

from sottovoce.actors.transform import compiled

__path__ = [*compiled.paths(), *__path__]

from sottovoce.actors.transform.context import Case, Context
from sottovoce.actors.transform.exceptions import RulesError
from sottovoce.actors.transform.transformer import Transformer

__all__ = ["Case", "Context", "RulesError", "Transformer"]
