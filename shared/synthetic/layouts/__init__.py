"""The layouts in which the corpora are released, one file each: what is drawn, where it lies, what the sheets say."""

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
