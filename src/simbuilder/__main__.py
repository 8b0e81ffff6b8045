"""`python -m simbuilder` is the `simbuilder` command."""

import sys

from simbuilder.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
