"""`python -m hopline`: the command line."""

import sys

from hopline.cli import main

if __name__ == "__main__":
    sys.exit(main())
