"""How sources are reached: mirrors, offline mode, and whose tokens go where."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.models.access import Access
from sottovoce.protocol.config import ModelsConfig, load_config
from sottovoce.protocol.exceptions import ConfigError


def test_the_longest_base_is_replaced() -> None:
    """A mirror stands for a whole base, never for a part of a name."""
    access = Access.load(
        ModelsConfig(
            mirrors={"https://a.example/": "https://m.example", "https://a.example/x": "http://127.0.0.1:8/y/"}
        ),
        {},
    )
    assert access.mirror("https://a.example/z/f") == "https://m.example/z/f"
    assert access.mirror("https://a.example/x/f") == "http://127.0.0.1:8/y/f"
    assert access.mirror("https://a.example") == "https://m.example"
    for url in ("https://a.example.org/f", "https://b.example/f"):
        assert access.mirror(url) == url


@pytest.mark.parametrize(
    ("config", "environ", "offline"),
    [
        (ModelsConfig(), {}, ""),
        (ModelsConfig(offline=True), {}, "[models] offline"),
        (ModelsConfig(), {"SOTTOVOCE_OFFLINE": "1"}, "SOTTOVOCE_OFFLINE"),
        (ModelsConfig(), {"HF_HUB_OFFLINE": "true"}, "HF_HUB_OFFLINE"),
        (ModelsConfig(), {"SOTTOVOCE_OFFLINE": "0", "HF_HUB_OFFLINE": "off"}, ""),
    ],
)
def test_offline_names_what_forbids(config: ModelsConfig, environ: dict[str, str], offline: str) -> None:
    """The file and both variables forbid the network, and the one that does is named."""
    assert Access.load(config, environ).offline == offline


def test_the_variables_of_other_tools_hold() -> None:
    """HF_ENDPOINT and GitHub's own variables name other servers; a token is shown to nobody."""
    environ = {
        "HF_ENDPOINT": "https://hub.example/", "GITHUB_SERVER_URL": "https://git.example",
        "GITHUB_API_URL": "https://git.example/api/v3", "GITHUB_TOKEN": "hush",
    }  # fmt: skip
    access = Access.load(ModelsConfig(), environ)
    assert access.hugging_face == "https://hub.example"
    assert (access.github, access.github_api) == ("https://git.example", "https://git.example/api/v3")
    assert access.github_token == environ["GITHUB_TOKEN"]
    assert "hush" not in repr(access)


def test_the_configuration_file_is_read(tmp_path: Path) -> None:
    """`[models]` of the user's file holds, and a mirror that is no address is refused with its place."""
    path = tmp_path / "config.toml"
    path.write_text('[models]\noffline = true\n[models.mirrors]\n"https://github.com" = "https://m.example/gh"\n')
    access = Access.load(environ={"SOTTOVOCE_CONFIG": str(path), "HOME": str(tmp_path)})
    assert access.mirror("https://github.com/a") == "https://m.example/gh/a"
    assert access.offline
    path.write_text('[models.mirrors]\n"https://github.com" = "m.example"\n')
    with pytest.raises(ConfigError, match="models"):
        load_config(path)
