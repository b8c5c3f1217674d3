from shared.main import main

from .experiments import PAPER

main(PAPER)
