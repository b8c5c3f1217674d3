"""Folders as downloads and public code leave them: each layout is read whole, or refused with what was found and where.

RELEASED has a path of each kind of file of a corpus; a case changes some of them. Two clips are read in each."""

import csv
import io
import os

import openpyxl
import pandas as pd
import pytest

from shared.corpora import CORPORA, casme2, dfew, emotionet, micro, smic
from shared.corpora.samples import CorpusMissing
from shared.corpora.sheets import SheetError

RELEASED = {
    "CASME": ["CASME/Cropped/sub{s:02d}/{clip}/reg_{clip}-{n}.jpg", "CASME/casme.xlsx"],
    "CASME2": ["CASME2/Cropped/sub{s:02d}/{clip}/reg_img{n}.jpg", "CASME2/CASME2-coding-20140508.xlsx"],
    "SAMM": ["SAMM/{s:03d}/{clip}/{s:03d}_{n:05d}.jpg", "SAMM/SAMM_Micro_FACS_Codes_v2.xlsx"],
    "SMIC": ["SMIC/SMIC_all_cropped/HS/s{s}/micro/{emotion}/{clip}/reg_image{n:06d}.bmp", "SMIC/apex.csv"],
    "MMEW": ["MMEW/Micro_Expression/{emotion}/{clip}/{n}.jpg", "MMEW/MMEW_Micro_Exp.xlsx"],
    "CASME3": [
        "CASME3/part_A_split/part_A/spNO.{s}/{clip}/color/{n}.jpg",
        "CASME3/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx",
    ],
    "CK+": [
        "CK+/cohn-kanade-images/S{s:03d}/{clip}/S{s:03d}_{clip}_{n:08d}.png",
        "CK+/Emotion/S{s:03d}/{clip}/S{s:03d}_{clip}_00000004_emotion.txt",
        "CK+/FACS/S{s:03d}/{clip}/S{s:03d}_{clip}_00000004_facs.txt",
    ],
    "MMI": ["MMI/Sessions/{s}/{clip}.avi", "MMI/Sessions/{s}/{clip}.xml", "MMI/Sessions/{s}/session.xml"],
    "Oulu-CASIA": ["Oulu-CASIA/PreProcess_Img/VL_Acropped/Strong/P{s:03d}/{emotion}/{n:03d}.jpeg"],
    "DFEW": [
        "DFEW/Clip/clip_224x224/{s:05d}/{s:05d}_{n:05d}.jpg",
        "DFEW/EmoLabel_DataSplit/train(single_labeled)/set_1.csv",
        "DFEW/EmoLabel_DataSplit/test(single_labeled)/set_1.csv",
    ],
    "FERV39k": [
        "FERV39k/2_ClipsforFaceCrop/Action/{emotion}/{s:04d}/{n}.jpg",
        "FERV39k/4_setups/All_scenes/train_All.csv",
        "FERV39k/4_setups/All_scenes/test_All.csv",
    ],
    "AFEW": ["AFEW/Train_AFEW/{emotion}/{s:09d}/{n:05d}.jpg", "AFEW/Val_AFEW/{emotion}/{s:09d}/{n:05d}.jpg"],
    "EmotioNet": ["EmotioNet/N_{s:010d}/N_{s:010d}_{n:05d}.jpg", "EmotioNet/EmotioNet_FACS_aws_2020_24600.csv"],
}
CLIPS = {  # subject, clip, emotion
    "CASME": ((1, "EP01_12", "disgust"), (19, "EP07_4", "tense")),
    "CASME2": ((1, "EP02_01f", "happiness"), (17, "EP01_02", "others")),
    "SAMM": ((6, "006_1_2", "anger"), (28, "028_4_2", "other")),
    "SMIC": ((1, "s1_ne_01", "negative"), (20, "s20_sur_03", "surprise")),
    "MMEW": ((1, "S01-02-003", "others"), (13, "S13-07-001", "happiness")),
    "CASME3": ((1, "a", "disgust"), (217, "m", "sad")),
    "CK+": ((5, "001", "disgust"), (130, "002", "disgust")),
    "MMI": ((1, "S002-001", "happiness"), (30, "S003-001", "happiness")),
    "Oulu-CASIA": ((1, "", "Anger"), (80, "", "Happiness")),
    "DFEW": ((1, "", "happy"), (2, "", "happy")),
    "FERV39k": ((1, "", "Happy"), (267, "", "Sad")),
    "AFEW": ((1, "", "Happy"), (2, "", "Sad")),
    "EmotioNet": ((1, "", ""), (2, "", "")),
}
FIRST, APEX, LAST = 1, 3, 4

# corpus, what of the released paths is called otherwise, and part of a note that must say so ("": nothing to say).
READ = [
    *((corpus, {}, "") for corpus in RELEASED),
    # the folder of a corpus
    ("CASME2", {"CASME2/": "CASME II/"}, ""),
    ("CASME2", {"CASME2/": "casme_ii/"}, ""),
    ("CASME2", {"CASME2/": "CASME2/CASME2/"}, "images found at"),
    ("CASME3", {"CASME3/": "CAS(ME)^3/"}, ""),
    ("CASME3", {"CASME3/": "cas(me)3/"}, ""),
    ("CASME2", {"CASME2/": "CASME^2/"}, ""),
    ("MMEW", {"MMEW/": "MMEW_Final/"}, ""),
    ("MMEW", {"MMEW/": "MMEW/MMEW_Final/"}, "images found at"),
    ("CK+", {"CK+/": "CKplus/"}, ""),
    ("Oulu-CASIA", {"Oulu-CASIA/": "Oulu_CASIA_NIR_VIS/"}, ""),
    ("SMIC", {"SMIC/": "SMIC/SMIC/"}, "images found at"),
    ("SAMM", {"SAMM/0": "SAMM/SAMM/0"}, ""),
    ("SAMM", {"SAMM/{": "SAMM/SAMM/{"}, "images found at"),
    ("DFEW", {"DFEW/": "DFEW/DFEW/"}, "frames found at"),
    ("FERV39k", {"FERV39k/": "FERV39K/"}, ""),
    ("CASME", {"CASME/": "casme1/"}, ""),
    # unzipped twice
    ("CASME", {"Cropped": "Cropped/Cropped"}, "images found at"),
    ("CASME2", {"Cropped": "Cropped/Cropped"}, "images found at"),
    ("CASME2", {"Cropped": "CASME2_RAW_selected/CASME2_RAW_selected"}, "images found at"),
    ("SMIC", {"SMIC_all_cropped": "SMIC_all_cropped/SMIC_all_cropped"}, "images found at"),
    ("MMEW", {"Micro_Expression": "Micro_Expression/Micro_Expression"}, "images found at"),
    ("CASME3", {"part_A_split/part_A": "part_A/part_A"}, ""),
    ("CASME3", {"part_A_split/part_A": "part_A_split/part_A_split/part_A"}, "images found at"),
    ("CK+", {"cohn-kanade-images": "cohn-kanade-images/cohn-kanade-images"}, "images found at"),
    ("MMI", {"Sessions": "Sessions/Sessions"}, "videos found at"),
    ("Oulu-CASIA", {"PreProcess_Img": "PreProcess_Img/PreProcess_Img"}, "images found at"),
    ("DFEW", {"clip_224x224": "clip_224x224/clip_224x224"}, "frames found at"),
    ("DFEW", {"EmoLabel_DataSplit": "EmoLabel_DataSplit/EmoLabel_DataSplit"}, "set_1.csv … set_5.csv found at"),
    ("FERV39k", {"2_ClipsforFaceCrop": "2_ClipsforFaceCrop/2_ClipsforFaceCrop"}, "images found at"),
    ("FERV39k", {"4_setups": "4_setups/4_setups"}, "lists found at"),
    ("AFEW", {"Train_AFEW": "Train_AFEW/Train_AFEW"}, "clips found at"),
    ("EmotioNet", {"EmotioNet/N": "EmotioNet/images/images/N"}, "images found at"),
    # other names of a folder
    ("CASME", {"Cropped": "CASME_raw_selected", "reg_": ""}, "no released crops"),
    ("CASME2", {"Cropped": "Cropped-updated/Cropped"}, ""),
    ("CASME2", {"Cropped": "cropped"}, ""),
    ("CASME2", {"Cropped": "CASME2-RAW", "reg_": ""}, "no released crops"),
    ("CASME2", {"Cropped": "CASME2_preprocessed_Li Xiaobai/Cropped"}, "images found at"),
    ("CASME2", {"Cropped": "faces"}, "images found at"),
    ("CASME2", {"sub{s:02d}": "{s}"}, ""),
    ("CASME2", {"sub{s:02d}": "Sub{s}"}, ""),
    ("CASME2", {"sub{s:02d}": "s{s:02d}"}, ""),
    ("CASME2", {"{n}.jpg": "{n:03d}.PNG"}, ""),
    ("CASME2", {"{n}.jpg": "{n}.webp"}, ""),
    ("SAMM", {"SAMM/{": "SAMM/SAMM_CROP/{"}, "images found at"),
    ("SAMM", {"{s:03d}/{": "{s}/{"}, ""),
    ("CASME2", {"sub{s:02d}": "subject{s}"}, ""),
    ("SMIC", {"SMIC_all_cropped": "SMIC_all_raw", "reg_": ""}, "no released crops"),
    ("SMIC", {"SMIC_all_cropped/HS": "HS"}, ""),
    ("SMIC", {"s{s}": "s{s:02d}"}, ""),
    ("MMEW", {"Micro_Expression": "micro_expression"}, ""),
    ("CASME3", {"part_A_split/": ""}, ""),
    ("CASME3", {"part_A_split/": "Part_A/data/"}, "images found at"),
    ("CASME3", {"/color": ""}, ""),
    ("CASME3", {"spNO.": "spNo."}, ""),
    ("CASME3", {"spNO.{s}/{clip}/color": "spNo.{s}_{clip}_1"}, ""),
    ("CK+", {"CK+/cohn": "CK+/extended-cohn-kanade-images/cohn"}, ""),
    ("CK+", {"/Emotion": "/Emotion_labels/Emotion", "/FACS": "/FACS_labels/FACS"}, ""),
    ("CK+", {"/Emotion": "/Emotion_labels", "/FACS": "/FACS_labels"}, ""),
    ("CK+", {"/FACS": "/labels/FACS"}, "FACS files found at"),
    ("Oulu-CASIA", {"PreProcess_Img": "PreProcess"}, ""),
    ("Oulu-CASIA", {"PreProcess_Img": "PreProcessImg"}, ""),
    ("Oulu-CASIA", {"PreProcess_Img/VL_Acropped": "OriginalImg/VL"}, ""),
    ("Oulu-CASIA", {"PreProcess_Img/VL_Acropped": "B_OriginalImg/VL"}, "images found at"),
    ("DFEW", {"clip_224x224": "jpg_256"}, ""),
    ("DFEW", {"Clip/": ""}, "frames found at"),
    ("DFEW", {"single_labeled": "single-labeled"}, ""),
    ("DFEW", {"clip_224x224/{s:05d}/{s:05d}_{n:05d}.jpg": "original/{s:05d}.mp4"}, ""),
    ("FERV39k", {"4_setups/": ""}, ""),
    ("AFEW", {"Train_AFEW": "Train", "Val_AFEW": "Val"}, ""),
    ("AFEW", {"/{n:05d}.jpg": ".avi"}, ""),
    ("EmotioNet", {"EmotioNet/N": "EmotioNet/images/N"}, ""),
    ("EmotioNet", {"/N_{s:010d}/": "/images/"}, ""),
    # clips alone, without the folder of their subject or emotion
    ("CASME", {"sub{s:02d}/{clip}": "sub{s:02d}_{clip}"}, ""),
    ("CASME2", {"sub{s:02d}/{clip}": "sub{s:02d}_{clip}"}, ""),
    ("SAMM", {"{s:03d}/{clip}": "{clip}"}, ""),
    ("MMEW", {"{emotion}/": ""}, ""),
    # sheets beside the images, one level away, under another name
    ("CASME", {"CASME/casme": "CASME/Cropped/casme"}, ""),
    ("CASME2", {"CASME2/CASME2-c": "CASME2/Cropped/CASME2-c"}, ""),
    ("CASME2", {"CASME2/CASME2-c": "CASME2-c"}, ""),
    ("CASME2", {"CASME2/CASME2-c": "CASME2/labels/CASME2-c"}, ""),
    ("CASME2", {"CASME2-coding-20140508.xlsx": "labels.csv"}, ""),
    ("SAMM", {"SAMM/SAMM_": "SAMM_"}, ""),
    ("SAMM", {"SAMM/SAMM_": "SAMM/SAMM_CROP/SAMM_", "SAMM/{": "SAMM/SAMM_CROP/{"}, "images found at"),
    ("SAMM", {"SAMM_Micro_FACS_Codes_v2": "samm"}, ""),
    ("MMEW", {"MMEW/MMEW_": "MMEW/Micro_Expression/MMEW_"}, ""),
    ("CASME3", {"CASME3/cas": "CASME3/annotation/partA/cas"}, ""),
    ("CASME3", {"CASME3/cas": "CASME3/part_A/cas"}, ""),
    ("SMIC", {"SMIC/apex": "SMIC/SMIC_all_cropped/smic_apex"}, ""),
    ("EmotioNet", {"EmotioNet/EmotioNet_": "EmotioNet/labels/EmotioNet_"}, ""),
    ("EmotioNet", {"24600.csv": "24600.xlsx"}, ""),
]

# corpus, what of the released paths is called otherwise, what the message says.
REFUSED = [
    ("CASME2", {"CASME2/": "corpora/one/"}, "CASME2 not found; looked for .*found corpora at"),
    ("CASME2", {"Cropped": "a/b/c/d/e/Cropped"}, "holds none of Cropped.*found a at .*expected data at .*Cropped"),
    ("CASME2", {"CASME2-coding": "a/b/c/d/e/CASME2-coding"}, "no annotation sheet.*found Cropped.*expected the sheet"),
    ("CASME2", {"Cropped": "optical flow"}, "found optical flow at .*expected data at"),
    (
        "SMIC",
        {"SMIC_all_cropped/HS/s{s}/micro/{emotion}": "SMIC-E_raw image/HS_long/SMIC-HS-E/s{s:02d}"},
        "found SMIC-E_raw image at .*expected data at .*SMIC_all_cropped/HS",
    ),
    ("MMEW", {"Micro_Expression": "Macro_Expression"}, "found Macro_Expression at .*expected data at .*Micro_Expr"),
    ("Oulu-CASIA", {"Strong": "Dark"}, "found PreProcess_Img at .*expected data at .*Strong"),
    ("Oulu-CASIA", {"VL_Acropped": "NI_Acropped"}, "found PreProcess_Img at .*expected data at .*VL_Acropped"),
    ("AFEW", {"Val_AFEW": "Others"}, "holds none of Val_AFEW, Val .*found Others, Train_AFEW at"),
    ("FERV39k", {"train_All": "train_Action"}, "holds none of 4_setups/All_scenes.*found 2_ClipsforFaceCrop"),
    ("EmotioNet", {"EmotioNet/N_": "EmotioNet/image_"}, "holds none of images .*found image_"),
]


def rows(corpus: str) -> list[list]:
    """The sheet of a corpus, header first."""
    head = {
        "CASME": ["Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion"],
        "CASME2": [
            "Subject",
            "Filename",
            None,
            "OnsetFrame",
            "ApexFrame",
            "OffsetFrame",
            None,
            "Action Units",
            "Estimated Emotion",
        ],
        "SAMM": [
            "Subject",
            "Filename",
            "Onset Frame",
            "Apex Frame",
            "Offset Frame",
            "Action Units",
            "Estimated Emotion",
        ],
        "MMEW": ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"],
        "CASME3": ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"],
        "SMIC": ["clip", "apex_frame"],
        "EmotioNet": ["URL", "URL orig", "'AU 1'", "'AU 12'"],
    }[corpus]
    values = {"onset": FIRST, "apex": APEX, "offset": LAST, "actionunits": "4+12", "au": "4+12", "au1": 1, "au12": 0}
    table = [head]
    for subject, clip, emotion in CLIPS[corpus]:
        image = f"N_{subject:010d}/N_{subject:010d}_{FIRST:05d}.jpg"
        own = {
            "subject": f"spNO.{subject}" if corpus == "CASME3" else subject,
            "filename": clip,
            "clip": clip,
            "emotion": emotion,
            "estimatedemotion": emotion,
            "url": f"http://x/{image}",
        }
        names = ["".join(c for c in str(name).lower() if c.isalnum()) for name in head]
        names = [name.replace("frame", "").removesuffix("f1") if name != "filename" else name for name in names]
        names = [name.removesuffix("f") if name in ("onsetf", "offsetf") else name for name in names]
        table.append([(own | values).get(name) for name in names])
    return table


def write(root, corpus: str, changes: dict[str, str]) -> None:
    """Two clips of a corpus below `root`, in the released paths with the changes."""
    for path in RELEASED[corpus]:
        for old, new in changes.items():
            path = path.replace(old, new)
        clips = CLIPS[corpus]
        if corpus == "AFEW":
            clips = clips[:1] if "Train" in path else clips[1:]
        if not path.endswith((".xlsx", ".csv")):
            numbers = range(FIRST, LAST + 1) if corpus != "EmotioNet" else [FIRST]
            for subject, clip, emotion in clips:
                for n in numbers:
                    file = root / path.format(s=subject, clip=clip, emotion=emotion, n=n)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(content(file.name, subject, clip))
            continue
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if corpus == "DFEW":
            file.write_text("video_name,label\n" + ("1,1\n" if "train" in path else "2,1\n"))
        elif corpus == "FERV39k":
            file.write_text("Action/Happy/0001 Happy\n" if "train" in path else "Action/Sad/0267 Sad\n")
        elif path.endswith(".csv"):
            text = io.StringIO()
            csv.writer(text).writerows(rows(corpus))
            file.write_text(text.getvalue())
        else:
            book = openpyxl.Workbook()
            book.active.title = "label"
            for row in rows(corpus):
                book.active.append(row)
            book.save(file)


def content(name: str, subject: int, clip: str) -> str:
    """What stands in a text file: CK+'s emotion and units, MMI's descriptions."""
    if name == "session.xml":
        return f'<session><subject id="{subject}"/><track view="0" filename="{clip}.avi"/></session>'
    if name.endswith(".xml"):
        return '<clip><Metatag Name="Emotion" Value="4"/></clip>'
    return {"_emotion.txt": "3.0\n", "_facs.txt": "4.0 1.0\n12.0 2.0\n"}.get(name[name.rfind("_") :], "")


def named(case) -> str:
    corpus, changes, _ = case
    return f"{corpus} {' '.join(f'{old}>{new}' for old, new in changes.items())}"


@pytest.mark.parametrize("case", READ, ids=named)
def test_layouts_that_are_read_whole(tmp_path, case):
    corpus, changes, said = case
    write(tmp_path, corpus, changes)
    reading = CORPORA[corpus].read(tmp_path)
    assert len(reading.samples) == 2 and not reading.problems
    if corpus in ("CASME", "CASME2", "SAMM", "MMEW", "CASME3", "CK+"):
        assert reading.samples["aus"].tolist() == [(4, 12)] * 2
    if corpus in ("CASME", "CASME2", "SAMM", "MMEW", "CASME3", "SMIC"):
        assert reading.samples["apex"].tolist() == [APEX] * 2
    if corpus not in ("MMI", "EmotioNet") and "mp4" not in str(changes) and ".avi" not in str(changes):
        assert [len(frames) for frames in reading.samples["frames"]] == [LAST] * 2
    assert any(said in note for note in reading.notes) or not said
    assert not any("gaps" in note for note in reading.notes)
    places = [note for note in reading.notes if "found at" in note]
    assert bool(places) == ("found at" in said)
    assert all("expected" in note for note in places)


@pytest.mark.parametrize("case", REFUSED, ids=named)
def test_layouts_that_are_refused_say_what_was_found_and_expected(tmp_path, case):
    corpus, changes, said = case
    write(tmp_path, corpus, changes)
    with pytest.raises((CorpusMissing, SheetError), match=f"(?s){said}"):
        CORPORA[corpus].read(tmp_path)


@pytest.mark.parametrize("corpus", RELEASED)
def test_the_folder_of_a_corpus_may_be_named_itself(tmp_path, corpus):
    write(tmp_path, corpus, {})
    (folder,) = tmp_path.iterdir()
    assert len(CORPORA[corpus].read(folder).samples) == 2


def test_all_corpora_side_by_side_and_one_without_a_folder(tmp_path):
    for corpus in RELEASED:
        write(tmp_path, corpus, {"CASME2/": "", "Cropped": "CASME2_RAW_selected"} if corpus == "CASME2" else {})
    for corpus, module in CORPORA.items():
        reading = module.read(tmp_path)
        assert len(reading.samples) == 2 and not reading.problems, corpus


@pytest.mark.parametrize("corpus", [corpus for corpus in RELEASED if corpus not in ("MMI", "EmotioNet")])
def test_a_gap_in_a_clip_is_noted(tmp_path, corpus):
    write(tmp_path, corpus, {})
    os.unlink(CORPORA[corpus].read(tmp_path).samples["frames"][0].path(2))
    reading = CORPORA[corpus].read(tmp_path)
    assert len(reading.samples) == 2 and not reading.problems
    (note,) = [note for note in reading.notes if "gaps" in note]
    gap = f"{reading.samples['sample'][0]}: 1 frame missing between 1 and 3"
    assert note == f"1 clip with gaps between onset and offset, such as {gap}"


FIELDS = {  # of each corpus with sheets: its fields, and the headers that each may have
    **dict.fromkeys(("CASME", "SAMM", "MMEW", "CASME3"), micro.COLUMNS),
    "CASME2": casme2.COLUMNS,
    "SMIC": smic.APEXES,
    "DFEW": dfew.COLUMNS,
    "EmotioNet": {name: emotionet.COLUMNS[name] for name in ("URL", "AU 1", "AU 12")},
}


@pytest.mark.parametrize("place", [0, 99])
@pytest.mark.parametrize("corpus", FIELDS)
def test_two_columns_of_one_field_agree_or_are_refused(tmp_path, corpus, place):
    """A column of the user's own before or after the released one, under any of the headers that the field may have."""
    write(tmp_path, corpus, {".xlsx": ".csv"})
    (path, *_) = sorted(path for path in tmp_path.rglob("*.csv"))
    header, *cells = list(csv.reader(io.StringIO(path.read_text())))

    def save(own: str, column: list[str]) -> None:
        with open(path, "w", newline="") as file:
            table = zip([own, *column], [header, *cells], strict=True)
            csv.writer(file).writerows([*row[:place], cell, *row[place:]] for cell, row in table)

    expected = CORPORA[corpus].read(tmp_path).samples
    fields = {bare(spelling): field for field, more in FIELDS[corpus].items() for spelling in (field, *more)}
    released = {fields[bare(name)]: i for i, name in enumerate(header) if bare(name) in fields}
    assert set(released) == set(FIELDS[corpus]) - {"Objective Classes"}
    for spelling in [spelling for spelling, field in fields.items() if field in released]:
        column = [row[released[fields[spelling]]] for row in cells]
        save(spelling, column)
        pd.testing.assert_frame_equal(CORPORA[corpus].read(tmp_path).samples, expected)
        save(spelling, [*column[:-1], "7"])
        with pytest.raises(SheetError) as refused:
            CORPORA[corpus].read(tmp_path)
        said = str(refused.value)
        assert f"{path}, row {len(column) + 1}: " in said and "rename or remove the one" in said
        assert repr(spelling) in said and repr(header[released[fields[spelling]]]) in said


def bare(header: str) -> str:
    return "".join(c for c in header.lower() if c.isalnum())


RATES = {"CASME": 60, "CASME2": 200, "SAMM": 200, "SMIC": 100, "MMEW": 90, "CASME3": 30, "CK+": 30, "Oulu-CASIA": 25}


@pytest.mark.parametrize(("corpus", "fps"), RATES.items())
def test_frame_rates_are_those_printed_by_the_releases(tmp_path, corpus, fps):
    write(tmp_path, corpus, {})
    assert CORPORA[corpus].read(tmp_path).samples["fps"].tolist() == [fps] * 2
