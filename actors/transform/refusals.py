"""How those outside, the hook and the rewrite, come to give no text; apart from them, since they are costly to load."""


class Swallowed(Exception):
    """The hook wants nothing to be typed."""


class HookFailed(Exception):
    """The hook gave no text that can be used; says why in a few words, none of which the hook has written."""


class RewriteFailed(Exception):
    """There is no rewrite; says why in a few words, none of which was dictated or sent by the server."""
