"""`python -m focalseg`."""

from focalseg.cli.main import main

main()
