"""The layouts in which the corpora are released, one file each: what is drawn, where it lies, what the sheets say."""

from . import casme2, dfew, mmew, samm

LAYOUTS = {"CASME2": casme2, "SAMM": samm, "MMEW": mmew, "DFEW": dfew}
