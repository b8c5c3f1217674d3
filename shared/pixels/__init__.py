"""From samples to arrays: images, prepared frames, videos, face boxes, apex spotting, interpolation in time, flow.

In: the sample table of `corpora`. Out: uint8 frames, and arrays derived from them, in a cache on disk.
"""
