"""The layouts in which the corpora are released, one file each.

In: a scale, a seed and an edition. Out: a `Plan`: which clips are drawn, where they lie and what the sheets say, with
the released counts of people, emotions and action units. Each module has EDITIONS and
`lay(smoke, share, seed, edition)`; `allot` and `common` hold what they share, `disk` writes files.
"""

from . import afew, casme, casme2, casme3, ckplus, dfew, emotionet, ferv39k, mmew, mmi, oulu, samm, smic

LAYOUTS = {
    "CASME": casme,
    "CASME2": casme2,
    "SAMM": samm,
    "SMIC": smic,
    "MMEW": mmew,
    "CASME3": casme3,
    "CK+": ckplus,
    "MMI": mmi,
    "Oulu-CASIA": oulu,
    "DFEW": dfew,
    "FERV39k": ferv39k,
    "AFEW": afew,
    "EmotioNet": emotionet,
}
