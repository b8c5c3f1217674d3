"""Drawn faces: people, action units and clips, all from seeds. In: seeds and intensities. Out: uint8 images."""
