"""Counts printed in the literature, to stand beside those found; a task's number of samples is with the task.

A count is called `samples`, `subjects`, by an emotion, `AU n`, a split; in a task also by corpus, or corpus and class.
Where a difference between print and release is known, DIFFERENCES says why."""

Counts = dict[str, int]


def _aus(**counts: int) -> Counts:
    return {f"AU {name[2:]}": number for name, number in counts.items()}


CASME2 = {"samples": 255, "subjects": 26, "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "fear": 2}
CASME2_AUS = _aus(AU1=26, AU2=21, AU4=129, AU5=2, AU6=13, AU7=38, AU9=13, AU10=17, AU12=34, AU14=27, AU15=16, AU17=25)
SIX = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CDE = {
    "CASME2 negative": 88,
    "CASME2 positive": 32,
    "CASME2 surprise": 25,
    "SAMM negative": 92,
    "SAMM positive": 26,
    "SAMM surprise": 15,
    "SMIC negative": 70,
    "SMIC positive": 51,
    "SMIC surprise": 43,
}
TESTED = {"1": 2341, "2": 2341, "3": 2340, "4": 2339, "5": 2336}

# corpus (and part), or task → [(source, counts)]
PRINTED: dict[str, list[tuple[str, Counts]]] = {
    "CASME 2013": [
        ("release", {"samples": 189, "subjects": 19}),
        ("printed in 2021", {"samples": 195, "subjects": 19}),
    ],
    "CASME2 2014": [
        ("release", CASME2 | {"surprise": 25, "sadness": 7} | CASME2_AUS),
        ("printed in 2021", {"samples": 247}),
        ("printed in 2024", {"samples": 255, "disgust": 61}),
        ("printed later", {"samples": 256}),
    ],
    "CASME2 2019": [("release", CASME2 | {"surprise": 28, "sadness": 4})],
    "SAMM": [
        (
            "release",
            {
                "samples": 159,
                "subjects": 29,
                "anger": 57,
                "other": 26,
                "happiness": 26,
                "surprise": 15,
                "contempt": 12,
                "disgust": 9,
                "fear": 8,
                "sadness": 6,
            }
            | _aus(AU2=18, AU4=23, AU7=46, AU12=30),
        ),
        ("printed in 2020 and later", {"subjects": 32}),
    ],
    "SMIC HS": [("release", {"samples": 164, "subjects": 16, "negative": 70, "positive": 51, "surprise": 43})],
    "SMIC VIS": [("release", {"samples": 71, "subjects": 8})],
    "MMEW": [
        (
            "release",
            {
                "samples": 300,
                "subjects": 30,
                "happiness": 36,
                "disgust": 72,
                "surprise": 89,
                "fear": 16,
                "sadness": 13,
                "anger": 8,
                "others": 66,
            },
        ),
        ("printed in 2024", {"subjects": 36}),
    ],
    "MMEW macro": [("release", {"samples": 900})],
    "CASME3 v2": [
        (
            "release",
            {
                "samples": 860,
                "subjects": 94,
                "anger": 64,
                "disgust": 250,
                "fear": 86,
                "happy": 55,
                "others": 161,
                "sad": 57,
                "surprise": 187,
            },
        )
    ],
    "CK+": [
        (
            "release",
            {
                "labelled samples": 327,
                "labelled subjects": 118,
                "anger": 45,
                "contempt": 18,
                "disgust": 59,
                "fear": 25,
                "happy": 69,
                "sadness": 28,
                "surprise": 83,
            },
        )
    ],
    "MMI": [("printed in 2020", {"samples": 205})],
    "Oulu-CASIA": [("release", {"samples": 480, "subjects": 80} | dict.fromkeys(SIX, 80))],
    "DFEW": [
        (
            "release",
            {"labelled samples": 11697}
            | {f"set {k} test": n for k, n in TESTED.items()}
            | {f"set {k} train": 11697 - n for k, n in TESTED.items()},
        ),
        ("printed in 2020", {"samples": 16372}),
    ],
    "FERV39k": [("release", {"samples": 38935, "train": 31088, "test": 7847})],
    "AFEW": [("release", {"train": 773, "val": 383}), ("printed later", {"samples": 1809, "test": 653})],
    "casme2-3": [("MEGC 2019", {"negative": 88, "positive": 32, "surprise": 25, "subjects": 24})],
    "samm-3": [("MEGC 2019", {"negative": 92, "positive": 26, "surprise": 15, "subjects": 28})],
    "samm-5": [("release", {"subjects": 27})],
    "samm-7": [("release", {"subjects": 28})],
    "smic-3": [("MEGC 2019", {"negative": 70, "positive": 51, "surprise": 43, "subjects": 16})],
    "cde-3": [("MEGC 2019", {"subjects": 68, "negative": 250, "positive": 109, "surprise": 83} | CDE)],
    "casme2-au8": [("printed in 2021", _aus(AU1=26, AU2=21, AU4=129, AU7=58, AU12=34, AU14=21, AU15=16, AU17=25))],
    "casme-au4": [("printed in 2021", _aus(AU1=23, AU4=69, AU9=40, AU14=23))],
    "samm-au4": [("printed in 2021", _aus(AU2=18, AU4=23, AU7=46, AU12=30))],
    "ckplus-7": [("release", {"subjects": 118})],
}

# (corpus or task, what, printed) → why the release gives another number.
DIFFERENCES: dict[tuple[str, str, int], str] = {
    ("CASME 2013", "samples", 195): "the corpus's paper; the released sheet lists 189",
    ("CASME2 2014", "samples", 247): "the corpus's paper of 2014; the released sheet lists 255",
    ("CASME2 2014", "samples", 256): "the released sheet lists 255",
    ("CASME2 2014", "disgust", 61): "the 2014 sheet lists 63",
    ("SAMM", "subjects", 32): "32 were recorded, 29 show micro-expressions",
    ("MMEW", "subjects", 36): "36 were recorded, 30 show micro-expressions",
    ("DFEW", "samples", 16372): "the clips without a single label are not all here",
    ("AFEW", "samples", 1809): "with 653 test clips, released without labels",
    ("casme2-au8", "AU 7", 58): "the 2014 sheet holds 38; its other counts but AU 14's agree with print",
    ("casme2-au8", "AU 14", 21): "the 2014 sheet holds 27; its other counts but AU 7's agree with print",
    ("samm-au4", "AU 12", 30): "counts four rows whose AU 12 is only an alternative; they are not among the 101",
}
