"""How this machine reaches the sources of models: mirrors, offline mode, tokens.

Proxies and certificates are the HTTP client's own matter: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE
and SSL_CERT_DIR hold for it as for every other program.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from sottovoce.models.retry import Retry
from sottovoce.protocol.config import ModelsConfig, load_config
from sottovoce.protocol.paths import Paths

HUGGING_FACE = "https://huggingface.co"
GITHUB = "https://github.com"
GITHUB_API = "https://api.github.com"
_NO = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Access:
    """How sources are reached.

    Attributes:
        mirrors: a base URL, and another one to use in its place; without a slash at the end.
        offline: what forbids the network, as people know it; "" where nothing does.
        hugging_face: the Hub, or what HF_ENDPOINT names.
        github: where releases are; GITHUB_SERVER_URL.
        github_api: the same for programs; GITHUB_API_URL.
        github_token: sent to `github_api` and to nobody else, not even to its mirror.
        retry: how patiently.
        parallel: files that are downloaded at the same time.
    """

    mirrors: Mapping[str, str] = field(default_factory=dict)
    offline: str = ""
    hugging_face: str = HUGGING_FACE
    github: str = GITHUB
    github_api: str = GITHUB_API
    github_token: str = field(default="", repr=False)
    retry: Retry = field(default_factory=Retry)
    parallel: int = 4

    @classmethod
    def load(cls, config: ModelsConfig | None = None, environ: Mapping[str, str] = os.environ) -> Access:
        """Take `[models]` of the configuration file and the variables that other tools know.

        Args:
            config: that section; read from the user's file if None.
            environ: the variables: HF_ENDPOINT, HF_HUB_OFFLINE, SOTTOVOCE_OFFLINE, GITHUB_TOKEN, GITHUB_SERVER_URL,
                GITHUB_API_URL. (The Hub's token is read by its own library.)

        Raises:
            ConfigError: the configuration file is not right.
        """
        if config is None:
            config = load_config(Paths.from_environment(environ).config).models
        asked = [name for name in ("SOTTOVOCE_OFFLINE", "HF_HUB_OFFLINE") if environ.get(name, "").lower() not in _NO]
        return cls(
            mirrors={base.rstrip("/"): other.rstrip("/") for base, other in config.mirrors.items()},
            offline="[models] offline" if config.offline else asked[0] if asked else "",
            hugging_face=(environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/"),
            github=(environ.get("GITHUB_SERVER_URL") or GITHUB).rstrip("/"),
            github_api=(environ.get("GITHUB_API_URL") or GITHUB_API).rstrip("/"),
            github_token=environ.get("GITHUB_TOKEN", "").strip(),
        )

    def mirror(self, url: str) -> str:
        """Return the address to use for this one: the longest base that it begins with is replaced by its mirror."""
        for base in sorted(self.mirrors, key=len, reverse=True):
            if url == base or url.startswith(f"{base}/"):
                return self.mirrors[base] + url[len(base) :]
        return url
