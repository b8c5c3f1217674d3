"""Every setting is read, and a pre-training reads what its key contains: of all packages, by construction."""

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from test_shape import PACKAGES, ROOT, name, paper
from tiny import STAGES, options, session_of

from shared.runs import engine
from shared.runs import session as session
from shared.runs.experiment import PretrainingRun
from shared.runs.parallel import Alone
from shared.runs.pretraining import Needs
from shared.runs.weights import load_network
from shared.tasks import TASKS

RUNNING = [
    ROOT / "shared" / "runs" / file
    for file in ("fold.py", "pretraining.py", "engine.py", "parallel.py", "experiment.py")
]
PRETRAINED = [package for package in PACKAGES if paper(package).pretrain]


def attributes(node: ast.AST, of: str) -> set[str]:
    """The attributes that code reads of a name `of`, or of an attribute so named (`training.config.batch`)."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Load)
        and of in (getattr(part.value, "id", ""), getattr(part.value, "attr", ""))
    }


def parts(file: Path, left_out: str) -> Iterator[ast.AST]:
    """The statements of a file, but for the function `left_out`."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return (node for node in tree.body if getattr(node, "name", "") != left_out)


def read(package: Path) -> set[str]:
    """The settings that a package's code reads, and shared's that runs it.

    What only stands under a table is not read; nor is what Config only looks at to refuse it. What it makes of some
    settings, a property or another setting, counts where that is read.
    """
    p = paper(package)
    files = [*sorted(package.rglob("*.py")), *RUNNING]
    found = {a for file in files for node in parts(file, p.remarks.__name__) for a in attributes(node, "config")}
    (config,) = ast.parse(inspect.getsource(p.config)).body
    for method in (node for node in config.body if isinstance(node, ast.FunctionDef)):
        if method.name in found:
            found |= attributes(method, "self")
        elif method.name == "__post_init__":
            setting = [node for node in method.body if "__setattr__" in attributes(node, "object")]
            found |= {a for node in setting for a in attributes(node, "self")}
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_every_setting_is_read(package):
    fields = {field.name for field in dataclasses.fields(paper(package).config)}
    unread = fields - read(package)
    assert not unread


@pytest.mark.parametrize("package", PRETRAINED, ids=name)
def test_every_setting_that_a_key_contains_is_read(package):
    """Of each cell at both scales. What is no setting, such as the corpora, is there for PretrainingRun."""
    p = paper(package)
    fields, found = {field.name for field in dataclasses.fields(p.config)}, read(package)
    for scale in ("smoke", "paper"):
        for row, column in (cell for table in p.tables for cell in table.cells()):
            config = dataclasses.replace(p.base(scale, {}), **{**row.changes, **column.changes})
            unread = fields & set(p.pretraining(config, TASKS[column.task]) or ()) - found
            assert not unread


OTHERS = {  # parameters of a setting's name that mean something else
    "skd_tstsan": {f"{part}.width" for part in ("MotionMagnification", "ShapeEncoder", "Manipulator")},
    "ma2mi": {"DiT.size"},
}


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_networks_and_losses_alone_have_the_papers_settings(package):
    """Where a parameter has a setting's name, its default is the setting at paper scale: who imports a network or a
    loss has the paper's. A parameter of the teacher is `teacher_…` among the settings."""
    settings = vars(paper(package).config())
    other, seen = OTHERS.get(package.name, set()), 0
    for file in sorted({*package.glob("*.py")} - {package / "__main__.py", package / "config.py"}):
        module = importlib.import_module(f"{package.name}.{file.stem}")
        for made in (
            o for o in vars(module).values() if callable(o) and getattr(o, "__module__", "") == module.__name__
        ):
            for key, parameter in inspect.signature(made).parameters.items():
                own = f"teacher_{key}" if "teacher" in made.__name__.lower() and f"teacher_{key}" in settings else key
                if own in settings and parameter.default not in (parameter.empty, None):
                    differs = parameter.default != settings[own]
                    assert differs == (f"{made.__name__}.{key}" in other), (made.__name__, key, parameter.default)
                    seen += 1
    assert seen


class Watched(Needs):
    """A pre-training's settings; `names` are those that were asked for of any of them."""

    names: set[str] = set()

    def __getattribute__(self, name: str):
        Watched.names.add(name)
        return super().__getattribute__(name)


def stages(package: Path, data: Path, out: Path) -> list[PretrainingRun]:
    """Pre-trainings of the tables, tiny, on the corpora of the first of them: each switch, word and number of the keys
    is met in one of them."""
    p, found, met = paper(package), [], set()
    session = session_of(p, options(p.name, data, out, *STAGES[p.name].split()))
    for row, column in (cell for table in p.tables for cell in table.cells() if not cell[0].records):
        stage = session.experiments(row, column, 1)[0].pretraining
        if stage and stage.corpora == (found or [stage])[0].corpora:
            values = {(key, value) for key, value in stage.needs.items() if isinstance(value, (str, int))}
            found += [stage] * bool(values - met)
            met |= values
    return found


@pytest.mark.parametrize("scale", ["smoke", "paper"])
@pytest.mark.parametrize("package", PRETRAINED)
def test_rows_that_share_a_pretraining_give_it_one_key(package, scale, tmp_path, monkeypatch):
    """Also its published files, although the rows' own may differ."""
    monkeypatch.setattr(session.Session, "key", lambda *_: {})
    opened = session_of(paper(package), ["--out", str(tmp_path), "--scale", scale])
    cells = [cell for table in paper(package).tables for cell in table.cells() if not cell[0].records]
    found: dict[Path, dict] = {}
    for stage in (e.pretraining for cell in cells for e in opened.experiments(*cell, 1)):
        if stage:
            assert found.setdefault(stage.folder, stage.settings) == stage.settings, stage.name
    assert found


def test_rules_and_shuffled_labels_share_their_pretraining(tmp_path):
    package = PRETRAINED[0]
    stages = []
    for more in ([], ["--rule", "val"], ["--shuffle-labels"]):
        opened = session_of(paper(package), ["--out", str(tmp_path), "--scale", "smoke", *more])
        experiments = [
            e
            for t in opened.paper.tables
            for cell in t.cells()
            if not cell[0].records
            for e in opened.experiments(*cell, 1)
        ]
        first = next(e for e in experiments if e.pretraining)
        stages.append((first.pretraining.folder, first.folder))
    assert len({stage for stage, _ in stages}) == 1 and len({fold for _, fold in stages}) == 3


@pytest.mark.parametrize("package", PRETRAINED, ids=name)
def test_a_pretraining_reads_what_its_key_contains(package, with_macro, tmp_path, monkeypatch):
    """And nothing else: what its key does not contain cannot be read (Needs)."""
    for module in session, engine:
        monkeypatch.setattr(module, "Needs", Watched)
    monkeypatch.setattr(Watched, "names", set())
    keys = set()
    data = with_macro(*stages(package, tmp_path, tmp_path)[0].corpora)
    for stage in stages(package, data, tmp_path / "out"):
        engine._pretrain(stage, Alone(torch.device("cpu")), 0)
        assert stage.done() and stage.load()
        if package.name != "skd_tstsan":  # which keeps no last layers: no network
            net, about = load_network(stage.weights_path, package.name)
            assert net.state_dict().keys() == stage.load().keys()
            inputs = [torch.rand(2, *shape) for shape in about["input"]["shapes"].values()]
            assert len(getattr(net, "predict", net)(*inputs)) == 2
            assert about["input"]["size"] == stage.config.size and about["needs"]["corpora"] == list(stage.corpora)
        keys |= set(stage.needs)
    fields = {field.name for field in dataclasses.fields(paper(package).config)}
    unread = keys & fields - Watched.names
    assert not unread
