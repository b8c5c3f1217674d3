"""A user's mistake ends with exit code 2 and a message in plain words; a bug keeps its traceback."""

import dataclasses
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pandas as pd
import pytest
from safetensors import safe_open
from toy.corpus import HEADER, read_sheet, write_casme2, write_sheet
from toy.experiments import PAPER
from toy.shell import ENVIRONMENT, copy_repository

from shared import cli, faces
from shared.corpora.samples import Problem
from shared.files import MARKER, read_json
from shared.options import parse
from shared.runs.paper import Row, Table


@pytest.fixture
def refused(toy, tmp_path):
    """Runs the toy and returns its message; expects exit code 2, nothing printed and nothing trained."""

    def run(*arguments, **how):
        out = tmp_path / "out"
        code, printed, said = toy(*arguments, "--out", out, **how)
        assert code == 2 and not printed, said
        assert "Traceback" not in said
        assert not list(out.glob("toy/*/*/*/seed-*/*.json"))
        return said

    return run


def test_data_that_is_no_folder(refused, tmp_path, casme2):
    assert f"{tmp_path}/none is not a folder" in refused("--data", tmp_path / "none")
    sheet = casme2 / "CASME2" / "CASME2-coding-20140508.csv"
    assert f"{sheet} is not a folder" in refused("--data", sheet)


def test_data_without_the_corpus_names_the_folders_looked_for(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    said = refused("--data", tmp_path / "empty")
    for name in ("CASME2", "CASME II"):
        assert str(tmp_path / "empty" / name) in said


def test_a_corpus_that_some_rows_need_is_missed_by_them_alone(toy, casme2, tmp_path):
    code, printed, said = toy("1", "2", "--data", casme2, "--out", tmp_path / "out")
    assert code == 0
    assert f"missing: SAMM not found; looked for {casme2}/SAMM" in said and "2 of 3 experiments can run" in said
    assert printed.count("not run: SAMM not found") == 1 and printed.count("4 of 4 folds") == 1


def test_a_sheet_without_a_column(refused, casme2):
    rows = read_sheet(casme2)
    apex = HEADER.index("ApexFrame")
    write_sheet(casme2, [row[:apex] + row[apex + 1 :] for row in rows])
    said = refused("--data", casme2)
    assert "CASME2-coding-20140508.csv" in said and "no column 'Apex'" in said and "'OnsetFrame'" in said


def test_a_sheet_of_an_unknown_edition(refused, casme2):
    rows = read_sheet(casme2)
    (casme2 / "CASME2" / "CASME2-coding-20140508.csv").unlink()
    write_sheet(casme2, rows, "CASME2-coding-20150101.csv")
    said = refused("--data", casme2)
    assert "edition 20150101 is unknown" in said and "20140508" in said


@pytest.fixture
def broken(casme2):
    """An apex missing, a folder without frames, an image cut off: three clips of twelve."""
    rows = read_sheet(casme2)
    rows[2][HEADER.index("ApexFrame")] = ""
    write_sheet(casme2, rows)
    shutil.rmtree(casme2 / "CASME2/Cropped/sub02/EP01_01")
    with open(casme2 / "CASME2/Cropped/sub04/EP03_01/reg_img2.png", "r+b") as image:
        image.truncate(70)
    return casme2


def test_all_rows_that_are_broken_are_listed_before_any_pixel_is_read(refused, broken):
    untouched = dataclasses.replace(PAPER, load=lambda *_: pytest.fail("pixels were read"))
    lines = refused("--data", broken, paper=untouched).splitlines()
    assert lines[0] == f"error: 2 problems in {broken}:"
    assert "row 3" in lines[1] and "'ApexFrame' is empty" in lines[1]
    assert "sub02/EP01_01" in lines[2] and "no image in" in lines[2]
    assert "casme2-5: 10 samples remain if their images can be read" in lines[3] and "--skip-broken" in lines[3]


def test_images_that_are_broken_are_listed_before_anything_is_trained(refused, broken):
    write_casme2(broken / "whole")
    with open(broken / "whole/CASME2/Cropped/sub04/EP03_01/reg_img2.png", "r+b") as image:
        image.truncate(70)
    lines = refused("--data", broken / "whole").splitlines()
    assert lines[0] == f"error: 1 problems in {broken}/whole:"
    assert "sub04/EP03_01/reg_img2.png" in lines[1] and "cannot be decoded" in lines[1]
    assert "casme2-5: 11 samples remain; --skip-broken" in lines[2]


def test_skip_broken_goes_on_without(toy, broken, tmp_path):
    arguments = ("--data", broken, "--out", tmp_path / "out")
    code, printed, said = toy(*arguments, "--skip-broken")
    assert code == 0 and "left out, 3 problems" in said and "4 of 4 folds" in printed
    assert "casme2-5: 9 samples of 4 subjects" in printed
    names = "CASME2/sub01/EP02_01, CASME2/sub02/EP01_01, CASME2/sub04/EP03_01"
    assert f"casme2-5: left out as broken: {names}" in printed
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("CASME2_sub*.json")]
    assert sorted(s for r in records for s in r["samples"]) == [
        f"CASME2/sub{s:02d}/EP{c:02d}_01"
        for s in (1, 2, 3, 4)
        for c in (1, 2, 3)
        if (s, c) not in ((1, 2), (2, 1), (4, 3))
    ]


def test_rows_that_leave_out_other_clips_are_all_shown_and_not_paired(toy, casme2, tmp_path):
    """As where a row reads frames that another does not: each loses a clip of its own."""

    def load(samples, config, cache):
        lost = samples["sample"].iloc[0 if config.pretrain else -1]
        problem = Problem(lost, None, "a frame is cut off", "copy it again", lost)
        return dataclasses.replace(PAPER.load(samples[samples["sample"] != lost], config, cache), problems=[problem])

    arguments = ("table1", "--data", casme2, "--out", tmp_path / "out", "--skip-broken")
    code, printed, said = toy(*arguments, paper=dataclasses.replace(PAPER, load=load), page=True)
    assert code == 0 and "left out, 2 problems" in said and "is left out" not in printed, said
    table = pd.read_csv(tmp_path / "out/toy/paper/tables.csv").set_index("row")
    for row in ("plain", "w/ pre-training"):
        assert table.loc[[row], "value"].notna().all()
    assert table.loc[["w/ pre-training"], "over first row"].isna().all()


def test_a_task_reads_the_edition_that_it_names_or_says_which_it_got(toy, casme2, tmp_path):
    """The 2019 sheet has one clip less of the toy's five classes; in the last run it is the only sheet."""
    rows = [list(row) for row in read_sheet(casme2)]
    rows[1][-1] = "fear"
    late = [[*row, cell] for row, cell in zip(rows, ["Objective Classes", *[3] * len(rows)], strict=False)]
    write_sheet(casme2, late, "CASME2-coding-20190701.csv")
    runs = ([], ["--edition", "CASME2=2019"], [])
    for i, (arguments, samples, edition) in enumerate(zip(runs, (12, 11, 11), ("2014", "2019", "2019"), strict=True)):
        if i == 2:
            (casme2 / "CASME2/CASME2-coding-20140508.csv").unlink()
        code, printed, said = toy("--data", casme2, "--out", tmp_path / str(i), *arguments)
        assert code == 0, said
        assert f"casme2-5: {samples} samples of 4 subjects" in printed and f"data: CASME2 ({edition})" in printed
        remark = "casme2-5: CASME2 is read from its 2019 sheet; the task's labels are those of 2014"
        assert (remark in printed) == (edition == "2019")


def test_nothing_usable_is_said_with_every_problem(refused, casme2):
    shutil.rmtree(casme2 / "CASME2" / "Cropped")
    (casme2 / "CASME2" / "Cropped").mkdir()
    said = refused("--data", casme2, "--skip-broken")
    assert "no sample" in said and said.count("no image in") == 12


def test_one_person_cannot_be_left_out(refused, tmp_path):
    data = write_casme2(tmp_path / "one", subjects=1)
    assert "no sample in train" in refused("--data", data)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tabel1"], "unknown table of toy 'tabel1' (nearest: table1"),
        (["9"], "unknown table of toy 'table9'"),
        (["table1/plan"], "unknown row of table1 'plan' (nearest: plain)"),
        (["--set", "epoch=3"], "unknown setting of toy 'epoch' (nearest: epochs"),
        (["--set", "epochs"], "argument --set: epochs: expected key=value"),
        (["--edition", "CASME2"], "argument --edition: CASME2: expected key=value"),
        (["--edition", "CASME=2019"], "unknown edition of CASME '2019' (known: only one)"),
        (["--edition", "CASMEII=2019"], "unknown corpus 'CASMEII' (nearest: CASME"),
        (["--edition", "CASME2=2018"], "unknown edition of CASME2 '2018' (nearest: 2019, 2014)"),
        (["--edition", "CASME2=2019"], "no sheet of the 2019 edition (found: 2014)"),
        (["--set", "epochs=many"], "--set epochs=many: expected int"),
        (["--set", "epochs=1.5"], "--set epochs=1.5: expected int"),
        (["--set", "epochs=0"], "no epoch was scored"),
        (["--set", "lr=fast"], "--set lr=fast: expected float"),
        (["--set", "pretrain=maybe"], "--set pretrain=maybe: expected bool"),
        (["--set", "norm=layer"], "--set norm=layer: expected Literal['batch', 'none']"),
        (["--set", "delta=3"], "--set delta=3: expected tuple[int, int]"),
        (["--set", "delta=3,x"], "--set delta=3,x: expected tuple[int, int]"),
        (["--gpus", "99"], "--gpus 99: this machine has"),
        (["--gpus", "0"], "argument --gpus: 0 is less than 1"),
        (["--processes", "0"], "argument --processes: 0 is less than 1"),
        (["--processes", "-2"], "argument --processes: -2 is less than 1"),
        (["--processes", "two"], "argument --processes: invalid number value: 'two'"),
        (["--seeds", "0"], "argument --seeds: 0 is less than 1"),
        (["--seeds", "-1"], "argument --seeds: -1 is less than 1"),
        (["--workers", "-1"], "argument --workers: -1 is less than 0"),
        (["--scale", "huge"], "argument --scale: invalid choice: 'huge'"),
        (["--what"], "unrecognized arguments: --what"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arguments_that_cannot_be(refused, casme2, arguments, said):
    assert said in refused("--data", casme2, *arguments)


def test_values_are_set_in_the_kind_of_their_field(toy, casme2, tmp_path):
    given = ["epochs=1", "lr=1e-3", "pretrain=no", "norm=none", "delta=(1, 2)"]
    sets = [part for item in given for part in ("--set", item)]
    assert toy("--data", casme2, "--out", tmp_path / "out", *sets)[0] == 0
    record = json.loads(next(tmp_path.rglob("CASME2_sub01.json")).read_text())
    assert record["config"] | dict(epochs=1, lr=1e-3, pretrain=False, norm="none", delta=[1, 2]) == record["config"]
    assert len(record["history"]) == 1


def test_a_loss_that_is_not_finite_names_fold_epoch_and_samples(refused, casme2):
    said = refused("--data", casme2, "--set", "lr=3e37", "--set", "epochs=3")
    assert "CASME2/sub01: loss is nan in epoch 2, on CASME2/sub02/EP01_01, CASME2/sub02/EP02_01" in said
    said = refused("1/w/ pre-training", "--data", casme2, "--set", "lr=3e38")
    assert "pre-training" in said and "loss not finite in epoch 2" in said


def test_records_of_another_configuration_are_refused_and_kept(toy, casme2, tmp_path):
    arguments = ("--data", casme2, "--out", tmp_path / "out")
    assert toy(*arguments)[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out" / "toy").rglob("*") if path.is_file()}
    code, _, said = toy(*arguments, "--set", "lr=0.1")
    assert code == 2 and "config.lr: recorded 0.05, now 0.1" in said and said.count("recorded") == 1
    assert "CASME2_sub01.json" in said and "--out" in said
    assert toy(*arguments, "--set", "lr=0.1", "--diff")[0] == 2
    assert {path: path.read_bytes() for path in before} == before


def test_records_of_other_data_are_refused(toy, casme2, tmp_path):
    arguments = ("1", "--data", casme2, "--out", tmp_path / "out")
    assert toy(*arguments)[0] == 0
    image = casme2 / "CASME2/Cropped/sub01/EP01_01/reg_img2.png"
    kept, stat = image.read_bytes(), image.stat()
    image.write_bytes((casme2 / "CASME2/Cropped/sub01/EP01_01/reg_img1.png").read_bytes())
    code, _, said = toy(*arguments)
    assert code == 2 and "data.pixels: recorded" in said and said.count("recorded") == 1
    image.write_bytes(kept)
    os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert toy(*arguments)[0] == 0
    rows = read_sheet(casme2)
    write_sheet(casme2, rows[:-1])
    code, _, said = toy(*arguments)
    assert code == 2 and "data.samples: recorded 12, now 11" in said and "data.table: recorded" in said


def test_a_spoilt_record_is_named_and_mended_by_its_removal(toy, casme2, tmp_path):
    arguments = ("--data", casme2, "--out", tmp_path / "out")
    first = toy(*arguments)
    path = next(tmp_path.rglob("CASME2_sub03.json"))
    path.write_bytes(path.read_bytes()[:100])
    code, _, said = toy(*arguments)
    assert code == 2 and str(path) in said and "not a whole record" in said
    path.unlink()
    code, printed, _ = toy(*arguments)
    assert code == 0 and printed.splitlines()[:-1] == first[1].splitlines()[:-1]


def test_an_out_that_cannot_be_written(refused, toy, casme2, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, said = toy("--data", casme2, "--out", tmp_path / "file" / "out")
    assert code == 2 and f"error: cannot write in {tmp_path}/file/out" in said and "Traceback" not in said


def test_no_space_left_keeps_the_folds_that_are_done(toy, casme2, tmp_path, monkeypatch):
    done, plain = [], os.replace

    def replace(source, target):
        if str(target).endswith(".json") and "seed-0/CASME2" in str(target):
            if len(done) == 2:
                raise OSError(28, "No space left on device")
            done.append(target)
        plain(source, target)

    arguments = ("--data", casme2, "--out", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        code, _, said = toy(*arguments)
    assert code == 2 and "CASME2_sub03.json: No space left on device; what was there before is unchanged" in said
    code, _, said = toy(*arguments)
    assert code == 0 and "CASME2/sub03" in said and "CASME2/sub01" not in said


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, RuntimeError])
def test_a_bug_keeps_its_traceback(casme2, tmp_path, error):
    def bug(training):
        raise error("of the programmer")

    from shared.cli import main

    with pytest.raises(error, match="of the programmer"):
        main(
            dataclasses.replace(PAPER, train=bug),
            ["--data", str(casme2), "--out", str(tmp_path / "out"), "--processes", "1"],
        )


def test_stopped_by_hand(toy, casme2, tmp_path):
    def stop(training):
        raise KeyboardInterrupt

    code, _, said = toy("--data", casme2, "--out", tmp_path / "out", paper=dataclasses.replace(PAPER, train=stop))
    assert code == 130 and "rerun the same command to resume" in said


def test_diff_runs_nothing(toy, casme2, tmp_path):
    def refuse(training):
        raise AssertionError("trained")

    arguments = ("--data", casme2, "--out", tmp_path / "out", "--diff")
    code, printed, _ = toy(*arguments, paper=dataclasses.replace(PAPER, train=refuse))
    assert code == 0 and "not run: no records" in printed


def test_the_tables_lie_beside_the_records_and_the_page_is_named(toy, casme2, tmp_path):
    code, printed, _ = toy("--data", casme2, "--out", tmp_path / "out", page=True)
    page = tmp_path / "out/toy/paper/index.html"
    assert code == 0 and f"The page with the figures: {page}" in printed
    assert "Table 1: the toy" in page.read_text(encoding="utf-8")
    assert (
        (page.parent / "tables.csv").read_text(encoding="utf-8").startswith("table,row,column,printed,value,low,high,")
    )
    assert "not comparable" not in printed
    printed = toy("--data", casme2, "--out", tmp_path / "out", "--scale", "smoke")[1]
    assert "smoke scale: not comparable with the paper" in printed


def test_copies_of_synthetic_faces_are_known_for_what_they_are(toy, faces, tmp_path):
    """The corpus itself, a copy elsewhere; beside a corpus that is none of them they are refused."""
    shutil.copytree(faces / "CASME2", tmp_path / "copy" / "CASME2")
    shutil.copytree(faces / "CASME2", tmp_path / "twice" / "CASME2" / "CASME2")
    for data in (faces / "CASME2", tmp_path / "copy", tmp_path / "copy" / "CASME2", tmp_path / "twice"):
        _, printed, _ = toy("--data", data, "--out", tmp_path / "out", "--skip-broken")
        assert "*** synthetic faces: not comparable with the paper ***" in printed
    assert [path.name for path in (tmp_path / "out" / "toy").iterdir()] == ["smoke-generated"]
    (tmp_path / "copy" / "SAMM").mkdir()
    code, _, said = toy("--data", tmp_path / "copy", "--out", tmp_path / "out")
    assert code == 2 and "CASME2 of synthetic faces beside SAMM, which is not marked so" in said


def test_generated_faces_are_drawn_where_no_data_is_named_and_say_so(toy, tmp_path, monkeypatch):
    drawn = []

    def draw(root, corpora, *, scale, tight, progress):
        drawn.append((list(corpora), scale))
        write_casme2(root)
        for other in set(corpora) - {"CASME2"}:
            (root / other).mkdir()
        (root / MARKER).write_text("")

    monkeypatch.setattr(faces, "write", draw)
    for _ in "drawn", "there":
        code, printed, _ = toy("--out", tmp_path / "out")
        assert code == 0 and "*** synthetic faces: not comparable with the paper ***" in printed
    assert drawn == [(["CASME2"], "smoke")]
    assert len(list((tmp_path / "out/toy/smoke-generated").rglob("CASME2_sub*.json"))) == 4
    printed = toy("--out", tmp_path / "other", "--data", tmp_path / "out" / "faces")[1]
    assert "synthetic faces: not comparable with the paper" in printed
    toy("2", "--out", tmp_path / "out")
    assert drawn[1:] == [(["SAMM"], "smoke")]


def test_data_may_be_named_by_the_environment(toy, casme2, tmp_path, monkeypatch):
    monkeypatch.setenv("MER_DATA", str(casme2))
    assert toy("--out", tmp_path / "out")[0] == 0
    assert not (tmp_path / "out" / "faces").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ma2m"], "unknown paper or command 'ma2m' (nearest: ma2mi"),
        (["--scale", "smoke", "ma2mi"], "the paper or command comes first: bash reproduce.sh COMMAND --scale"),
        (["lst"], "unknown paper or command 'lst' (nearest: list"),
        (["list", "nothing-like-it"], "unknown paper 'nothing-like-it' (known: "),
        (["diff"], "diff needs a paper"),
        (["data"], "which folder holds the corpora?"),
        (["data", "--data", "nowhere"], "nowhere is not a folder"),
        (["ma2mi", "--data", "nowhere"], "nowhere is not a folder"),
        (["ma2mi", "tabel1"], "unknown table of ma2mi 'tabel1'"),
        (["faces", "x", "--corpora", "CASME4"], "unknown corpus 'CASME4' (nearest: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_command_line_of_the_project(arguments, said, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["shared", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("shared", run_name="__main__")
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and not out and said in err


def test_rows_and_options_come_in_any_order():
    args = parse(
        "python -m", {"toy": ""}, ["toy", "--set", "a=1", "table1", "--seeds", "2", "table2", "--set", "b=2=3"]
    )
    assert (args.rows, args.seeds, args.set) == (["table1", "table2"], 2, [("a", "1"), ("b", "2=3")])
    args = parse("bash reproduce.sh", {"toy": ""}, ["toy", "predict", "r.json", "--clip", "here", "--box", *"1234"])
    assert (args.paper, str(args.record), list(map(str, args.clip)), args.box) == (
        "toy",
        "r.json",
        ["here"],
        [1, 2, 3, 4],
    )
    args = parse("bash reproduce.sh", {"toy": ""}, ["diff", "toy", "--strict", "1"])
    assert (args.paper, args.rows, args.strict, args.diff) == ("toy", ["1"], True, True)


def test_paths_are_those_of_the_folder_that_reproduce_sh_was_called_in(tmp_path, monkeypatch):
    """Which it leaves; absolute ones and the defaults stay as they are."""
    given = ["toy", "--data", "corpora", "--out", str(tmp_path / "out"), "--set", "a=./b.pth", "--set", "c=d.pth"]
    predict = ["toy", "predict", "r.json", "--clip", "a", "/b", "--onset", "3", "--apex", "apex.png"]
    for called in (None, "/elsewhere"):
        if called:
            monkeypatch.setenv("MER_CALLED_FROM", called)
        here = Path(called or "")
        args = parse("bash reproduce.sh", {"toy": ""}, given)
        assert (args.data, args.out, args.weights) == (here / "corpora", tmp_path / "out", Path("weights"))
        assert args.set == [("a", "/elsewhere/b.pth" if called else "./b.pth"), ("c", "d.pth")]
        args = parse("bash reproduce.sh", {"toy": ""}, predict)
        assert (args.record, args.clip, args.out) == (here / "r.json", [here / "a", Path("/b")], Path("prediction"))
        assert (args.onset, args.apex) == ("3", str(here / "apex.png"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Runs reproduce.sh in a copy of the repository, with a Python that has nothing installed."""
    folder = tmp_path_factory.mktemp("bare")
    copy_repository(folder / "copy")
    venv.create(folder / "python")

    def run(*arguments):
        environment = {"PATH": f"{folder / 'python' / 'bin'}:/usr/bin:/bin", "COLUMNS": "200"}
        command = ["bash", folder / "copy" / "reproduce.sh", *arguments]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
        assert not (folder / "copy" / ".venv").exists()
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lst"], "error: unknown paper or command 'lst' (nearest: list"),
        (["list", "ma2m"], "error: unknown paper 'ma2m' (nearest: ma2mi"),
        (["ma2mi", "table1", "--seeds", "0"], "argument --seeds: 0 is less than 1"),
        (["ma2mi", "--seed", "3"], "unrecognized arguments: --seed"),  # which `faces` has: not short for --seeds
        (["claims", "--set", "epochs=1"], "unrecognized arguments: --set"),
        (["diff", "ma2mi", "--intervals"], "error: --intervals is of --format"),
        (["ma2mi", "--seeds"], "argument --seeds: expected one argument"),
        (["ma2mi", "--gpus", "1", "--processes", "2"], "argument --processes: not allowed with argument --gpus"),
        (["ma2mi", "predict"], "the following arguments are required: RECORD"),
        (["faces"], "the following arguments are required: DIR"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arguments_are_checked_before_anything_is_installed(bare, arguments, message):
    code, out, err = bare(*arguments)
    assert code == 2 and not out and message in err


def test_every_command_explains_itself_with_nothing_installed(bare):
    code, overview, _ = bare()
    assert code == 0 and (0, overview, "") == bare("--help") == bare("help")
    commands = re.findall(r"^    (\w+)", overview, re.MULTILINE)
    assert {"ma2mi", "all", "diff", "predict", "list", "data", "digits", "faces", "test"} < set(commands)
    for command in commands:
        if command != "test":  # whose help is pytest's
            code, text, err = bare(command, "--help")
            assert code == 0 and not err and text.startswith("usage: bash reproduce.sh "), command


def test_tests_run_on_all_cores_unless_told_otherwise(monkeypatch):
    asked = []
    monkeypatch.setattr(pytest, "main", lambda arguments: asked.append(arguments) or 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(30)))
    for arguments in ([], ["tests/shared", "-k", "cli"], ["-n0"], ["-p", "no:xdist"], ["--pdb"]):
        assert cli.run(["test", *arguments]) == 5
    spread = ["-n", "8", "--dist", "worksteal"]
    assert asked == [spread, [*spread, "tests/shared", "-k", "cli"], ["-n0"], ["-p", "no:xdist"], ["--pdb"]]


@pytest.mark.parametrize(
    ("paper", "line"),
    [
        ("ma2mi", "table3/FERV39K: needs CASME2, FERV39k, SAMM, MMEW"),
        ("dvasp", "table2/ASP-18: needs CASME2, EmotioNet"),
        ("dvasp", "table2/SCA: needs the records of sca_au/table1/Res3D18 + SCA, which need CASME2"),
    ],
    ids=["a row", "with a pre-training", "read from another paper"],
)
def test_list_names_every_row_with_what_it_needs(monkeypatch, capsys, paper, line):
    monkeypatch.setattr(sys, "argv", ["shared", "list", paper])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("shared", run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert f"    {line}" in lines


def test_all_papers_end_in_one_page_that_leads_to_theirs(casme2, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "papers", lambda: {"toy": "the toy"})
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    out = tmp_path / "out"
    assert cli.run(["all", "--data", str(casme2), "--out", str(out), "--scale", "smoke", "--processes", "1"]) == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    assert '<a href="toy/smoke/index.html">toy/smoke</a>' in page and (out / "toy/smoke/index.html").exists()
    assert "smoke scale: not comparable with the paper" in page and page.count("<td>plain</td>") == 2
    assert "<td>constant baseline (largest class)</td>" in page and "toy: done" in capsys.readouterr().out
    assert cli.run(["all", "--data", str(tmp_path / "nowhere"), "--out", str(out)]) == 2
    assert "toy: ended with exit code 2" in capsys.readouterr().out


def test_rule_val_draws_a_validation_part_of_the_training_subjects(toy, casme2, tmp_path):
    arguments = ("table1/plain", "--data", casme2, "--out", tmp_path / "out", "--set", "epochs=4")
    code, printed, _ = toy(*arguments, "--rule", "val")
    assert code == 0 and "rule: val, where the paper scores last" in printed
    folder = tmp_path / "out" / "toy" / "paper-val"
    records = [read_json(path) for path in folder.rglob("CASME2_sub*.json")]
    assert len(records) == 4 and [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["paper-val"]
    for record in records:
        people = [{sample.split("/")[1] for sample in record[part]} for part in ("train", "val", "samples")]
        assert list(map(len, people)) == [2, 1, 1] and len(set.union(*people)) == 4
        best = max(record["history"], key=lambda entry: (entry["val"], entry["epoch"]))
        assert record["rule"] == "val" and record["predictions"]["epochs"]["val"]["accuracy"][""] == str(best["epoch"])
        (weights,) = folder.rglob(f"{record['fold'].replace('/', '_')}.safetensors")
        with safe_open(weights, "pt") as file:
            assert json.loads(file.metadata()["about"])["epoch"] == best["epoch"]
    table = pd.read_csv(folder / "tables.csv").set_index("row")
    assert set(table.loc[["plain"], "rule"]) == {"val"} and set(table.loc[["plain"], "other rule"]) == {"best_on_test"}
    code, printed, _ = toy(*arguments)
    assert code == 0 and "where the paper scores" not in printed and (folder.parent / "paper").is_dir()


COLUMN_SETS = dataclasses.replace(
    PAPER.tables[0], columns=(dataclasses.replace(PAPER.tables[0].columns[0], changes={"delta": (1, 2)}),)
)


@pytest.mark.parametrize(
    ("names", "given", "said"),
    [
        (["table1"], "pretrain=true", "--set pretrain=true: row “w/ pre-training” of table1 sets pretrain=True itself"),
        (["table1/plain"], "delta=(3, 4)", "--set delta=(3, 4): column “Acc (%)” of table1 sets delta=(1, 2) itself"),
        (["table1/plain"], "pretrain=true", "=true: pretrain tells row “plain” from row “w/ pre-training” of table1"),
        (["table1/plain"], "pretrain=false", ""),
        (["table1/plain"], "lr=0.01", ""),
    ],
    ids=str,
)
def test_a_setting_that_a_chosen_row_or_column_sets_is_refused(toy, casme2, tmp_path, names, given, said):
    """It would have no effect, yet be printed as if it had, or make another row of it. Other settings are accepted."""
    paper = dataclasses.replace(PAPER, tables=(COLUMN_SETS, *PAPER.tables[1:]))
    code, printed, errors = toy(*names, "--set", given, "--data", casme2, "--out", tmp_path / "out", paper=paper)
    assert code == (2 if said else 0) and said in errors and (f"set: {given}" in printed) == (not said)
    assert said or list((tmp_path / "out").rglob("CASME2_sub01.json"))


def test_no_row_of_another_table_stands_under_a_setting_that_its_name_excludes(toy, casme2, tmp_path):
    """What `free` runs with pre-training is that of the row with pre-training, and not of `plain` beside it."""
    free = Table("table3", "Table 3: anything", COLUMN_SETS.columns, (Row("free"),))
    paper = dataclasses.replace(PAPER, tables=(COLUMN_SETS, *PAPER.tables[1:], free))
    for setting, rows in (("pretrain=true", {"free", "w/ pre-training"}), ("lr=0.01", {"free", "plain"})):
        out = tmp_path / setting
        code, _, errors = toy("table3", "--set", setting, "--data", casme2, "--out", out, paper=paper)
        assert code == 0, errors
        table = pd.read_csv(out / "toy" / "paper" / "tables.csv")
        assert set(table.dropna(subset="value")["row"]) == rows | {"constant baseline (largest class)"}
