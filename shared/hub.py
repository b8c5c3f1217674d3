"""Networks that are shared: loaded from a folder or the Hugging Face hub, and published there with their card."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from .errors import UserError
from .runs.weights import FITTED, header, load_network

CARD = "README.md"


def from_pretrained(name: str | Path) -> nn.Module:
    """The network of a folder that `fit` left, of its file, or of USER/NAME on the hub; `about` is its header.

    Only networks of this project's papers are made. Raises UserError where there is none.
    """
    path = Path(name)
    if path.is_dir():
        path = path / FITTED
    elif not path.exists() and path.suffix not in (".safetensors", ".json") and len(path.parts) == 2:
        from huggingface_hub import hf_hub_download

        try:
            path = Path(hf_hub_download(str(name), FITTED))
        except Exception as error:  # a network makes errors of any kind
            raise UserError(f"{name} is no folder here, and the hub did not give its {FITTED}: {error}") from error
    return load_network(path)[0]


def check_push(repository: str, yes: bool) -> None:
    """Raises UserError for a name that is not USER/NAME, and where nobody can be asked and --yes is not given."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UserError(f"--push {repository}: {error}") from error
    if repository.count("/") != 1:
        raise UserError(f"--push {repository}: expected USER/NAME")
    if not yes and not sys.stdin.isatty():
        raise UserError("--push asks before it publishes, and nobody can answer here: add --yes to publish")


def publish(weights: Path, repository: str, private: Sequence[Path], yes: bool) -> None:
    """Upload `weights` and the card beside it to the hub, after a list and a question.

    Raises UserError where one of them names a folder of this machine, such as one of `private`.
    """
    from huggingface_hub import HfApi

    folder, names = weights.parent, [weights.name, CARD]
    about = header(weights)
    texts = {weights.name: json.dumps(about, ensure_ascii=False), CARD: (folder / CARD).read_text(encoding="utf-8")}
    secrets = {str(path.resolve()) for path in (*private, Path.home())} - {"/"}
    secrets |= {v for v in about["config"].values() if isinstance(v, str) and "/" in v}
    for name, text in texts.items():
        for secret in secrets:
            if secret in text:
                remedy = "give a file's name alone, and its folder as --weights"
                raise UserError(f"{folder / name} names {secret}, a path of this machine: not published; {remedy}")
    print(f"to be published, for everyone to see, as {repository}:")
    for name in names:
        print(f"  {name}  {(folder / name).stat().st_size:,} bytes")
    print("The agreements of the corpora may forbid to share what was trained on them: read those that you signed.")
    if not yes and input("Publish these two files? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UserError("nothing was published")
    try:
        api = HfApi()
        api.create_repo(repository, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository, folder_path=folder, allow_patterns=names, commit_message="Add a network and its card"
        )
    except Exception as error:  # a network makes errors of any kind
        remedy = "`hf auth login` tells the hub who you are"
        raise UserError(f"{repository} was not published: {error}; {remedy}") from error
    print(f"published: {done}")
