"""The yardstick: a linear SVM on optical flow, which shows what a method adds, and answers that are always the same.

They are rows like any other: their folds, records and keys are those of a paper's rows.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..corpora import emotionet
from ..corpora.samples import Problem
from ..errors import UserError
from ..files import digest, locked, read_json, sweep, write_json
from ..keys import code_key
from ..pixels.apex import with_apex
from ..pixels.flow import tvl1
from ..pixels.frames import prepare
from ..tasks import Task
from .config import Settings, setting
from .fold import FoldTraining
from .paper import Method, Paper, Row

NAME = "linear SVM on flow"
SIZE, GRID = (136, 112), (10, 8)  # height and width of the grey frames, and of the grid that their flow is averaged to


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    answer: Literal["svm", "largest class", "all present", "all absent"] = setting("svm", "training")
    C: float = setting(0.05, "training", above=0)


@dataclass(frozen=True)
class Flow:
    """The flow `x` (N, 2 · 10 · 8) float32 of each sample, from its onset to its apex."""

    ids: tuple[str, ...]
    x: np.ndarray
    problems: list[Problem]
    digest: str


def unfit(task: Task) -> str:
    """Why there is no yardstick for a task; empty where there is one."""
    return "samples are single images, without an onset" if emotionet.NAME in task.corpora else ""


def load(samples: pd.DataFrame, config: Config, cache: Path) -> Flow:
    """The flow of each sample, kept clip by clip: the tasks of a corpus share it."""
    samples, problems = with_apex(samples, cache)
    pairs = list(zip(samples["onset"], samples["apex"], strict=True))
    store = prepare(samples, pairs, size=SIZE, gray=True, cache=cache)
    x = kept(store.stacked()[..., 0], cache / "flow")
    return Flow(store.ids, x, problems + store.problems, store.digest)


def kept(pairs: np.ndarray, folder: Path) -> np.ndarray:
    """`flow_on_grid` of pairs (N, 2, H, W), from the folder or computed into it, under keys of pixels and code."""
    paths = [folder / f"{digest([pair.tobytes().hex(), code_key(__name__)])}.json" for pair in pairs]
    found: dict[int, Any] = {}
    with locked(folder.with_suffix(".lock")):
        sweep(folder)
        for i, path in enumerate(paths):
            with suppress(UserError, OSError):  # damaged, or not there
                found[i] = read_json(path)["flow"]
        missing = [i for i in range(len(paths)) if i not in found]
        at_once = 4 * torch.get_num_threads()  # pairs, as many as `tvl1` works on
        for start in tqdm(range(0, len(missing), at_once), "flow", disable=None, leave=False):
            batch = missing[start : start + at_once]
            for i, flow in zip(batch, flow_on_grid(pairs[batch]), strict=True):
                found[i] = flow.tolist()
                write_json(paths[i], {"flow": found[i]})
    return np.array([found[i] for i in range(len(paths))], np.float32)


def flow_on_grid(pairs: np.ndarray) -> np.ndarray:
    """Onsets and apexes (B, 2, H, W) uint8 -> their flow without its median, averaged to the grid: (B, 160) float32."""
    u = tvl1(*torch.from_numpy(np.array(pairs)).unbind(1))
    u = u - u.flatten(2).median(dim=2).values[..., None, None]
    return F.adaptive_avg_pool2d(u, GRID).flatten(1).numpy()


def train(training: FoldTraining[Config, Flow]) -> None:
    """One fold: an SVM on the classes, or one for each action unit."""
    x, config = np.asarray(training.data.x), training.config
    rows = training.indices("train").cpu().numpy()
    target = np.array(training.samples["target"].tolist()).reshape(len(x), -1)
    said = np.stack([answers(x[rows], y[rows], x, config) for y in target.T], axis=1)  # N, 1 or A
    scores = said if training.task.aus else np.eye(len(training.task.classes))[said[:, 0]]
    present = torch.from_numpy(scores).float().to(training.device)
    training.score(0, lambda rows: present[rows])


def answers(x: np.ndarray, y: np.ndarray, every: np.ndarray, config: Config) -> np.ndarray:
    """The answer (N,) for `every` sample (N, D), from the training samples x (n, D) and their classes y (n,)."""
    constant = {"largest class": np.bincount(y).argmax(), "all present": 1, "all absent": 0}.get(config.answer)
    if constant is None and len(set(y)) == 1:
        constant = y[0]
    if constant is not None:
        return np.full(len(every), constant)
    from sklearn.pipeline import make_pipeline  # here, because it takes a second
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    svm = make_pipeline(StandardScaler(), SVC(kernel="linear", C=config.C, class_weight="balanced"))
    return np.asarray(svm.fit(x, y).predict(every))


def apply(net: Any, data: Flow, config: Config) -> tuple[Tensor, Tensor]:
    raise UserError(f"the {NAME} leaves no network")


YARDSTICK = Paper(
    name="yardstick",
    title="Yardstick",
    folder=Path(__file__).parent,
    config=Config,
    smoke={},
    tables=(),
    headline=(),
    rule="last",
    load=load,
    train=train,
    apply=apply,
    code=(__name__,),
    comparison={
        "emotion": (Method(Row("largest class", answer="largest class")), Method(Row(NAME))),
        "aus": (
            Method(Row("all present", answer="all present")),
            Method(Row("all absent", answer="all absent")),
            Method(Row(NAME)),
        ),
    },
)
