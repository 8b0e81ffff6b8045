"""`python -m simbuilder` is the `simbuilder` command."""

from simbuilder.cli.app import entry

if __name__ == "__main__":
    entry()
