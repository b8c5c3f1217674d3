"""Figure 3 of the paper, and its ablations, drawn from the records."""


def figures(bench, experiments, results):
    return []
