from shared.cli import main

main(__package__)
