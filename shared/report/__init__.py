"""From records to what people read: tables, the page with its figures, predictions, a survey of the corpora.

In go records and printed numbers; out come text, CSV, Markdown and HTML. From the bottom up: `printed` (numbers of the
literature), `cells` and `results` (a table from records), `tables` and `layout` (its formats), `figures`, `page`;
`comparison` and `side_by_side` (methods of all papers). Beside them: `counts` and `survey` (what a disk holds),
`digits` (what printed digits allow), `clips` and `predict`, `downloads` (published weights) and `card`.
"""
