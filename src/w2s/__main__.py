"""`python -m w2s`."""

from w2s.cli import main

main()
