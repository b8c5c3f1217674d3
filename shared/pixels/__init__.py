"""From samples to arrays: decoded frames and videos, face boxes, apex spotting, interpolation in time, optical flow.

In: the sample table of `corpora`. Out: uint8 frames and float flow, cached on disk.
"""
