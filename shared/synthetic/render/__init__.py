"""Draws faces. In: seeds, intensities of action units over time, a size. Out: uint8 images and their true motion.

`anatomy` holds people and views, `actions` the action units, `courses` what changes over time; `brush`, `relief`,
`skin`, `hair` and `parts` paint, `paint` composes layers of it; `warp` moves the layers, `clip` films them.
"""
