"""What cannot be read is listed before anything is trained, and left out where that is asked for: in every paper."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import paper_of
from toy.experiments import PAPER as TOY

from shared.faces.write import write
from shared.main import open_bench, parser

# (package, row, corpus with a broken clip, settings, what makes images be read as they are needed)
CASES = {
    "toy": ("toy", "table2@Acc", "SAMM", "pretrain_epochs=1", ()),
    "sca_au": ("sca_au", "table1/Res3D18 + SCA", "CASME2", "size=40 resize=60 tim=10 frames=4", ()),
    "mtmnet": ("mtmnet", "table2/L_EID, L_MTM@CASME2(CK+)", "CK+", "image=32 width=8 macro_epochs=1", ()),
    "skd_tstsan": (
        "skd_tstsan", "table5/baseline@CASME II", "CK+", "face=32 size=20 width=8 pretrain_iterations=2", ()
    ),
}  # fmt: skip
MA2MI = "size=64 width=8 dim=12 dit_dim=12 dit_heads=3 pretrain_epochs=1"
DVASP = "resize=36 size=32 width=8 teacher_epochs=1 unlabelled=8"
for name, *streamed in (("", ""), (" streamed", "ma2mi.data.IN_MEMORY")):
    CASES[f"ma2mi{name}"] = ("ma2mi", "table1/MA2MI@CASME", "DFEW", MA2MI, streamed)
CASES["ma2mi labelled"] = ("ma2mi", "table1/MAER@CASME", "DFEW", MA2MI, ())
for name, *streamed in (("", ""), (" streamed", "dvasp.data.CACHED")):
    CASES[f"dvasp{name}"] = ("dvasp", "table1/Lv+Lmv+Lasp", "EmotioNet", DVASP, streamed)


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
    package, row, corpus, settings, streamed = CASES[case]
    paper = TOY if package == "toy" else paper_of(package)
    for place in filter(None, streamed):
        monkeypatch.setattr(place, 0)
    options = [row, "--data", str(corpora), "--out", str(tmp_path), *(f"--set={s}" for s in settings.split())]
    samples = open_bench(paper, parser(package).parse_args(options)).reading(corpus).samples
    wanted = samples["au_codes"] == "" if corpus == "EmotioNet" else samples["emotion"].isin(["happiness", "happy"])
    frames, seen = samples["frames"][wanted].iloc[0], []

    def pretrain(job):
        seen.append(job.data)
        return paper.pretrain(job)

    def train(job):
        n = len(job.task.aus or job.task.classes)
        job.score(0, lambda rows: torch.full((len(rows), n), 1 / n))

    def untouched(job):
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
