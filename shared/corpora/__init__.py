"""The corpora as released: one module each, with read(root) → Reading and load(root) → table of samples."""

from . import afew, casme, casme2, casme3, ckplus, dfew, emotionet, ferv39k, mmew, mmi, oulu, samm, smic

CORPORA = {
    module.NAME: module
    for module in (casme, casme2, samm, smic, mmew, casme3, ckplus, mmi, oulu, dfew, ferv39k, afew, emotionet)
}
