"""What can go wrong before a text is transformed; transforming itself cannot fail."""

from __future__ import annotations


class RulesError(Exception):
    """A rules file is missing or says what it may not say; the text names file, rule, reason and mend."""
