"""The corpora as released: one module each, with read(root) → Reading and load(root) → table of samples."""

from . import casme2, dfew, mmew, samm

CORPORA = {module.NAME: module for module in (casme2, samm, mmew, dfew)}
