"""From declared experiments to records: what a paper declares, one session, training of folds, pre-trainings.

In: a paper, its settings and the corpora. Out: a JSON record a fold, and trained weights.
"""
