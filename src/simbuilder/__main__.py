"""The `simbuilder` command, which `python -m simbuilder` is too.

Light on purpose: whoever presses Ctrl-C while the rest is still being imported wants to be rid of
the command, not to read where Python was.
"""

import _signal as signal  # type: ignore[import-not-found]  # `signal` imports for 3 ms first


def entry() -> None:
    """Run the command line and end the process; until it is loaded, SIGINT just ends it."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as it is in a shell's background job
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from simbuilder.cli.app import entry as run

    run()


if __name__ == "__main__":
    entry()
