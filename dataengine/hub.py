"""An exported folder as a dataset repository of the Hugging Face Hub, card included."""

from __future__ import annotations

from pathlib import Path

from dataengine import shards
from dataengine.errors import Stopped


def push(folder: Path, *, repo: str, public: bool = False) -> str:
    """Upload an exported folder to a dataset repository, made (private) where there is none; the address of the commit.

    Files that are there already with the same content are not sent again, so a push that was cut off is simply repeated.
    ValueError where the Hub refuses the name or the token, Stopped where it cannot be reached.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    shards.check(folder)
    files = [entry["file"] for entry in shards.read_manifest(folder)["files"]]
    if "README.md" not in files:
        raise ValueError(f"{folder} has no card: push what `dataengine export DIR --to hub --out PATH` made")
    api = HfApi(library_name="dataengine")
    try:
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo,
            repo_type="dataset",
            folder_path=folder,
            allow_patterns=[*files, shards.MANIFEST],
            commit_message=f"{shards.read_manifest(folder)['notes']['from']['folder']}, written by dataengine",
        )
    except HFValidationError as error:
        raise ValueError(f"{repo!r} is no name of a repository: {error}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise ValueError(f"the Hub does not let this token write to {repo} ({status}): log in with `hf auth login`") from None
        raise Stopped(f"the Hub answered {status} while {folder} was pushed to {repo}; the same command tries again: {error}") from None
    except httpx2.TransportError as error:
        raise Stopped(f"the Hub cannot be reached ({error}): {folder} is whole, the same command tries again") from None
    return str(done)
