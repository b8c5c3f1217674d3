def figures(bench, experiments, results): return []
