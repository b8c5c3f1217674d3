"""`fit` leaves a network that has learned from all subjects, and a card that says what is known of it."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy.experiments import PAPER
from toy.left import halves

from shared.fit import chosen
from shared.hub import from_pretrained
from shared.runs.session import Session
from shared.runs.weights import load_network


@pytest.fixture
def fitted(casme2, tmp_path, toy):
    """The toy's network, without folds."""
    code, said, errors = toy("fit", "table1/plain", "--data", casme2, "--out", tmp_path / "out")
    assert code == 0, errors
    (path,) = (tmp_path / "out").rglob("model.safetensors")
    return SimpleNamespace(path=path, card=path.with_name("README.md"), data=casme2, out=tmp_path / "out", said=said)


def test_it_learns_from_all_subjects_and_keeps_no_score(fitted, toy):
    record = json.loads(fitted.path.with_suffix(".json").read_text(encoding="utf-8"))
    assert len(record["train"]) == 12 and record["fold"] == "all subjects" and record["rule"] == "last"
    assert not record["predictions"] and all("test" not in epoch for epoch in record["history"])
    left = {path.name for path in fitted.path.parent.iterdir()}
    assert left == {".claims", "model.json", "model.safetensors", "README.md"}
    assert not halves(fitted.out)
    net, about = load_network(fitted.path, "toy")
    assert net.about is about and about["epoch"] == 2 and len(about["labels"]) == 5

    before = fitted.path.stat().st_mtime_ns  # a second start only writes the card
    fitted.card.unlink()
    assert toy("fit", "table1/plain", "--data", fitted.data, "--out", fitted.out)[0] == 0
    assert fitted.path.stat().st_mtime_ns == before and fitted.card.exists()
    clip = fitted.data / "CASME2" / "Cropped" / "sub01" / "EP01_01"
    for given in (fitted.path, fitted.path.with_suffix(".json")):
        options = ["--clip", clip, "--apex", 2, "--out", fitted.out / "mine"]
        code, said, errors = toy("predict", given, *options)
        assert code == 0 and all(label in said for label in about["labels"]), errors


def test_it_has_the_settings_of_its_row(casme2, tmp_path, toy, monkeypatch):
    asked = []
    monkeypatch.setattr("shared.fit.complete", lambda session, runs, *_: asked.extend(runs) or 3)
    assert toy("fit", "table1/w/ pre-training", "--data", casme2, "--out", tmp_path / "out")[0] == 3
    (run,) = asked
    assert run.config == PAPER.config(pretrain=True) and run.pretraining and len(run.folds[0].train) == 12


def test_it_is_the_network_that_the_same_loop_makes_of_all_clips(fitted):
    """By hand: Adam on the cross-entropy of all clips, two steps from the seed of this fold."""
    from tiny import session_of
    from toy.model import Net
    from toy.train import differences

    from shared.runs.fold import seed_of

    session = session_of(PAPER, ["--data", str(fitted.data), "--out", str(fitted.out)])
    ((table, (row, *_)),) = PAPER.choose(["table1"])
    (experiment,) = session.experiments(row, table.columns[0], 1)
    torch.manual_seed(seed_of("casme2-5", "all subjects", 0))
    net, config = Net(5), experiment.config
    x = differences(torch.from_numpy(experiment.data.stacked().copy()))
    y = torch.tensor(experiment.samples["target"].tolist())
    adam = torch.optim.Adam(net.parameters(), lr=config.lr)
    for _ in range(config.epochs):
        loss = torch.nn.functional.cross_entropy(net.train()(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
    kept = load_network(fitted.path, "toy")[0]
    torch.testing.assert_close(kept.state_dict(), net.state_dict())


def test_the_card_says_what_is_known(fitted, toy, monkeypatch):
    card = fitted.card.read_text(encoding="utf-8")
    for part in (
        "# Toy, CASME II, five classes",
        "“plain” of “Table 1: the toy”",
        "CASME2 (2014): 12 samples",
        "weights: random",
        "Not known. 0 of 4 folds of this row were run; "
        '`bash reproduce.sh toy "table1/plain" --data DIR --scale paper` measures it.',
        "happiness, surprise, disgust, repression, others",
        "licence of its own",
        "Not to be used for",
        "detecting lies",
    ):
        assert part in card, part
    assert "not comparable" not in card and str(fitted.out) not in card and str(fitted.data) not in card

    assert toy("table1/plain", "--data", fitted.data, "--out", fitted.out)[0] == 0
    assert toy("fit", "table1/plain", "--data", fitted.data, "--out", fitted.out)[0] == 0
    card = fitted.card.read_text(encoding="utf-8")
    number, ends = r"([+\d.]+)", r"\[.*\]"
    line = rf"\| Acc \(%\) \| {number} \| {ends} \| pooled \| best_on_test {number} \| {number} {ends} \| 4 folds"
    (row,) = re.findall(line, card)
    right: dict[str, list[bool]] = {"last": [], "best_on_test": []}
    for path in fitted.out.glob("toy/paper/casme2-5/default/seed-0/*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        for rule, hits in right.items():
            scores = record["predictions"]["scores"][record["predictions"]["epochs"][rule]["accuracy"][""]][""]
            hits += [int(np.argmax(s)) == t for s, t in zip(scores, record["targets"], strict=True)]
    last, best = (100 * np.mean(hits) for hits in right.values())
    assert [float(number) for number in row] == pytest.approx([last, best, best - last], abs=0.006)

    assert "other code" not in card
    monkeypatch.setattr(Session, "code", "other")
    assert toy("fit", "table1/plain", "--data", fitted.data, "--out", fitted.out, "--accept-code")[0] == 0
    assert f"\n\n4 of 4 records were made by other code ({record['code']}).\n\n" in fitted.card.read_text("utf-8")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["table1"], "expected one row, one of table1/plain, table1/w/ pre-training"),
        (["table1/plain", "table2/on SAMM"], "expected one row"),
        (["--task", "casme2-7"], "unknown task of toy 'casme2-7' (nearest: casme2-5)"),
        (["table1/plain", "--set", "people=2"], "--set people=2: fit trains on all subjects"),
        (["--push", "name"], "expected USER/NAME"),
        (["--push", "a b/c"], "--push a b/c: "),
        (["--push", "me/net"], "nobody can answer here: add --yes to publish"),
    ],
)
def test_mistakes_are_said_before_anything_is_read(given, message, tmp_path, toy):
    code, _, errors = toy("fit", *given, "--out", tmp_path / "out")
    assert code == 2 and message in errors and not (tmp_path / "out").exists()


def test_rows_are_chosen_with_their_task():
    """That of the row's first column; a task of another table brings the settings of its column."""
    from ma2mi.experiments import PAPER as MA2MI
    from mtmnet.experiments import PAPER as MTMNET
    from sca_au.experiments import PAPER as SCA

    table, row, column = chosen(MTMNET, ["table2/L_MTM"], "cde-3")
    assert (table.name, row.name, column.task) == ("table3", "L_MTM", "cde-3")
    assert chosen(MTMNET, ["table4/ours"], "cde-3")[0].name == "table5"
    table, row, column = chosen(MA2MI, ["table5/MA2MI (Ours)"], "mmew-6")
    assert (table.name, column.task) == ("table6", "mmew-6") and row.name in {r.name for r in table.rows}
    table, row, column = chosen(MTMNET, [], None)
    assert (table.name, row.name, column.task) == ("table2", "L_EID, L_MTM", "casme2-5-2019")
    assert chosen(SCA, [], None)[1].changes.get("descriptor") is None


def test_a_row_of_another_paper_is_sent_there(tmp_path):
    from dvasp.experiments import PAPER as DVASP
    from shared.errors import UserError

    with pytest.raises(UserError, match="fit sca_au table1/Res3D18 [+] SCA"):
        chosen(DVASP, ["table2/SCA"], None)


def test_a_row_that_scores_a_part_of_its_network_is_refused():
    from shared.errors import UserError
    from skd_tstsan.experiments import PAPER as SKD

    with pytest.raises(UserError, match=r"table7/Classifier 1/3 scores a part of its network \(AC1\)"):
        chosen(SKD, ["table7/Classifier 1/3"], None)


def test_a_record_in_place_of_weights(fitted):
    from shared.errors import UserError

    with pytest.raises(UserError, match="model.json is a record; the weights are .*model.safetensors"):
        from_pretrained(fitted.path.with_suffix(".json"))
    with pytest.raises(UserError, match="holds a network of toy, not of this project"):
        from_pretrained(fitted.path.parent)
