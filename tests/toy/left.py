"""What a run leaves."""

import json
from pathlib import Path

import numpy as np


def records(out: Path) -> dict[str, str]:
    """The text of each record but for its times, and each weights file."""
    found = {str(path.relative_to(out)): path.read_bytes().hex() for path in out.rglob("*.safetensors")}
    for path in sorted(out.rglob("seed-*/*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content.pop("times")["seconds"] >= 0
        found[str(path.relative_to(out))] = json.dumps(content)
    return found


def table(out: Path, name: str = "tables.md") -> str:
    (path,) = out.glob(f"*/*/{name}")
    return path.read_text(encoding="utf-8")


def halves(out: Path) -> list[Path]:
    """What has no place there once a run has ended."""
    return [path for path in out.rglob(".*") if path.name != ".claims" and path.suffix != ".lock"]


def answered(out: Path, records: str) -> tuple[list[int], list[int]]:
    """Targets and answers at the last epoch of all records that match a pattern."""
    targets, answers = [], []
    for path in sorted(out.glob(records)):
        record = json.loads(path.read_text(encoding="utf-8"))
        scores = record["predictions"]["scores"][record["predictions"]["epochs"]["last"]["uf1"][""]][""]
        targets += record["targets"]
        answers += np.argmax(scores, axis=1).tolist()
    return targets, answers
