"""What cannot be read is listed before anything is trained, and left out where that is asked for: in every paper."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import ROWS, STAGES, paper_of, session_of
from toy.experiments import PAPER as TOY

from shared.report.cells import Cell
from shared.report.results import Result
from shared.synthetic.write import write

# (package, row, corpus with a broken clip, what makes images be read as they are needed)
CASES = {
    "toy": ("toy", "table2@Acc", "SAMM", ""),
    "sca_au": ("sca_au", "table1/Res3D18 + SCA", "CASME2", ""),
    "mtmnet": ("mtmnet", "table2/L_EID, L_MTM@CASME2(CK+)", "CK+", ""),
    "skd_tstsan": ("skd_tstsan", "table5/baseline@CASME II", "CK+", ""),
    "ma2mi": ("ma2mi", "table1/MA2MI@CASME", "DFEW", ""),
    "ma2mi, streamed": ("ma2mi", "table1/MA2MI@CASME", "DFEW", "ma2mi.data.IN_MEMORY"),
    "ma2mi, labelled": ("ma2mi", "table1/MAER@CASME", "DFEW", ""),
    "dvasp": ("dvasp", "table1/Lv+Lmv+Lasp", "EmotioNet", ""),
    "dvasp, streamed": ("dvasp", "table1/Lv+Lmv+Lasp", "EmotioNet", "dvasp.data.CACHED"),
}
SETTINGS = {package: f"{tiny} {STAGES.get(package, '')}" for package, (_, tiny) in ROWS.items()}
SETTINGS["dvasp"] += " unlabelled=8"  # each is drawn


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> Path:
    """Every image is a placeholder."""
    names = ["CASME2", "SAMM", "CK+", "DFEW", "EmotioNet"]
    return write(tmp_path_factory.mktemp("broken") / "data", names, size=16, workers=1, pixels=False)


@contextmanager
def cut_off(frames):
    """Images that end too early; here alone, though placeholders are one file."""
    files = [Path(frames.path(number)) for number in frames.numbers]
    contents = [file.read_bytes() for file in files]
    try:
        for file, content in zip(files, contents, strict=True):
            file.unlink()
            file.write_bytes(content[: len(content) // 2])
        yield
    finally:
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)


@pytest.mark.parametrize("case", CASES)
def test_a_broken_image_is_listed_before_training_or_left_out(case, corpora, toy, tmp_path, monkeypatch):
    package, row, corpus, streamed = CASES[case]
    paper = TOY if package == "toy" else paper_of(package)
    if streamed:
        monkeypatch.setattr(streamed, 0)
    settings = (f"--set={change}" for change in SETTINGS.get(package, "").split())
    options = [row, "--data", str(corpora), "--out", str(tmp_path), *settings]
    samples = session_of(paper, options).reading(corpus).samples
    wanted = samples["au_codes"] == "" if corpus == "EmotioNet" else samples["emotion"].isin(["happiness", "happy"])
    frames, seen = samples["frames"][wanted].iloc[0], []

    def pretrain(training):
        seen.append(training.data)
        return paper.pretrain(training)

    def train(training):
        n = len(training.task.aus or training.task.classes)
        training.score(0, lambda rows: torch.full((len(rows), n), 1 / n))

    def untouched(training):
        pytest.fail("something was trained")

    with cut_off(frames):
        code, printed, said = toy(*options, paper=replace(paper, pretrain=untouched, train=untouched))
        assert code == 2 and not printed and f"error: 1 problems in {corpora}" in said
        assert frames.folder in said and "the image cannot be decoded" in said and "--skip-broken" in said
        code, _, said = toy(*options, "--skip-broken", paper=replace(paper, pretrain=pretrain, train=train))
        assert code == 0 and "left out, 1 problems" in said and frames.folder in said
        assert len(seen) == (package != "sca_au")
        for data in seen:
            (problem,) = data.problems
            assert problem.where.startswith(frames.folder)
            for index in range(len(data)):
                data[0, 0, index]  # none raises


@pytest.mark.parametrize("package", ROWS)
def test_tables_without_a_number_have_no_figures(package, tmp_path):
    paper = paper_of(package)
    session = session_of(paper, ["--data", str(tmp_path), "--out", str(tmp_path / "out")])
    cells = {t.name: tuple(Cell(r.name, c.name, rule=paper.rule) for r, c in t.cells()) for t in paper.tables}
    drawn = paper.figures(session, [], [Result(table, cells[table.name], ()) for table in paper.tables])
    assert all(figure.plot.axes for figure in drawn)
