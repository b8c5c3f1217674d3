"""`python -m shared …`, to which reproduce.sh hands over."""

from .cli import main

main()
