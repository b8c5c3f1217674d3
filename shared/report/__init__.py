"""From records to what people read: tables, the page and its figures, predictions, a survey of the corpora.

In: records and printed numbers. Out: text, CSV, Markdown, HTML.
"""
