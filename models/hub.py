"""Models of the Hugging Face Hub.

Its own library finds out what there is: endpoint, token, repository, commit, and of each file the size and checksum
that the Hub vouches for. The bytes are then fetched by `download`, not by the library: a download of its that is
killed begins again at the first byte, since it writes to a file of a random name (huggingface_hub 2.4.0; killed when 12
of 24 MB had come, it asked for all 24 again, and ours for the other 12: `tests/models/test_hub.py -k library`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sottovoce.models.access import HUGGING_FACE, Access
from sottovoce.models.download import Report
from sottovoce.models.exceptions import SourceFailed
from sottovoce.models.remote_file import Remote
from sottovoce.models.responses import words_of
from sottovoce.models.retry import TRANSIENT, retry_after
from sottovoce.models.source import HuggingFaceSource

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_TIMEOUT_S = 30.0


def resolve(
    source: HuggingFaceSource, paths: Sequence[str], access: Access, report: Report
) -> tuple[list[Remote], str]:
    """Find files of a repository.

    Args:
        source: repository and revision.
        paths: the files' paths in it.
        access: how the Hub is reached. HF_ENDPOINT and a mirror of the configuration name another one; only the
            first is given the user's token.
        report: told of what is amiss.

    Returns:
        The files, all of one commit, and that commit.

    Raises:
        SourceFailed: the Hub is out of reach, has no such repository, revision or file, or wants a token.
    """
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # its page names it there

    endpoint = access.mirror(access.hugging_face)
    token = None if endpoint == access.hugging_face else False  # None: whatever the library finds
    api = HfApi(endpoint=endpoint, token=token, library_name="sottovoce")
    info = _ask(source, api, endpoint, access, report)
    commit = str(info.sha or source.revision)
    there = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    headers = {name: value for name, value in build_hf_headers(token=token).items() if name.lower() == "authorization"}
    remotes = []
    for path in paths:
        if (sibling := there.get(path)) is None:
            raise SourceFailed(f"there is no {path} at revision {source.revision}; is the catalogue right?")
        lfs = sibling.lfs
        remotes.append(
            Remote(
                hf_hub_url(source.repository, path, revision=commit, endpoint=endpoint),
                size=sibling.size if lfs is None else lfs.size,
                sha256=None if lfs is None else lfs.sha256,
                blob=sibling.blob_id if lfs is None else None,
                headers=headers,
                hint=_hint(source),
            )
        )
    return remotes, commit


def _ask(source: HuggingFaceSource, api: HfApi, endpoint: str, access: Access, report: Report) -> Any:
    import httpx2
    from huggingface_hub import errors

    failures = 0
    while True:
        after = None
        try:
            return api.model_info(source.repository, revision=source.revision, files_metadata=True, timeout=_TIMEOUT_S)
        except errors.GatedRepoError as error:
            raise SourceFailed(f"its owner wants a consent first; {_hint(source)}") from error
        except errors.RepositoryNotFoundError as error:
            raise SourceFailed(
                f"there is no such repository at {endpoint}, or it is not for everybody; {_hint(source)}"
            ) from error
        except errors.RevisionNotFoundError as error:
            raise SourceFailed(f"there is no revision {source.revision}; correct the catalogue") from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            why = f"the server answers {status} {error.response.reason_phrase}".strip()
            if status not in TRANSIENT:
                raise SourceFailed(f"{endpoint}: {why}; {_hint(source)}") from error
            after = retry_after(error.response.headers.get("Retry-After"))
        except errors.OfflineModeIsEnabled as error:
            raise SourceFailed("HF_HUB_OFFLINE forbids it") from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise SourceFailed(f"{endpoint}: {error}; correct HF_ENDPOINT or the mirror") from error
        except httpx2.RequestError as error:
            why = words_of(error, endpoint)
        except (ValueError, TypeError, KeyError) as error:  # what came is not what a Hub says
            raise SourceFailed(
                f"{endpoint} does not answer as the Hub does; does this network want you to sign in first, or is "
                "HF_ENDPOINT wrong?"
            ) from error
        failures += 1
        if failures >= access.retry.attempts or (after or 0.0) > access.retry.patience:
            raise SourceFailed(f"{endpoint}: {why}, {failures} times in a row; check the network and pull again")
        delay = access.retry.delay(failures, after)
        report(0, None, f"{endpoint}: {why}; again in {delay:.1f} s")
        time.sleep(delay)


def _hint(source: HuggingFaceSource) -> str:
    return f"see {HUGGING_FACE}/{source.repository}, and put a token of yours into HF_TOKEN if it is private or gated"
