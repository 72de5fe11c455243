"""The `hopline` command: `main` runs it and turns every expected failure into one line and an exit status.

Exit status: 0 all done · 1 it failed · 2 the command line is wrong · 3 done, with refusals · 130 interrupted.
Answers go to standard output, everything said about them (progress, summaries, warnings) to standard
error, so that every command pipes. What takes long to import is imported inside the command that needs it:
`hopline --help` has to feel immediate.
"""

from hopline.cli.run import main

__all__ = ["main"]
