"""The corpora as released: one module each, with read(root) → Reading and load(root) → table of samples."""

from . import afew, casme, casme2, casme3, ckplus, dfew, emotionet, ferv39k, mmew, mmi, oulu, samm, smic
from .folders import KNOWN, plain

CORPORA = {
    module.NAME: module
    for module in (casme, casme2, samm, smic, mmew, casme3, ckplus, mmi, oulu, dfew, ferv39k, afew, emotionet)
}
KNOWN.update(plain(name) for module in CORPORA.values() for name in module.NAMES)
