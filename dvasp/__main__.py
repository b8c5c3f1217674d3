from shared.cli import main

from .experiments import PAPER

main(PAPER)
