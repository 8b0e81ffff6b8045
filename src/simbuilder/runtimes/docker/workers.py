"""Containers that work on a session's volumes, so that its engine can be anywhere.

They have no network, are made from images the session has anyway, and carry its labels, by which a
cleanup finds them. There is one of a name: what a killed command left working is ended by whoever
comes next.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from simbuilder.runtimes.docker import ends, labels
from simbuilder.runtimes.docker.engine import PATIENCE_S, Engine
from simbuilder.runtimes.docker.images import variable
from simbuilder.scaffolding.exceptions import EngineError, SimBuilderError
from simbuilder.sessions.model import End, Session

LONGEST_S = 6 * 3600.0
"""For copying, which takes as long as it takes."""

_WITH_SHELL = ("neo4j", "azurite", "nats")
"""Whose image to work in: that of NATS may hold the server and nothing else."""


class Workers:
    """Those of one session; `settings` name the images that its record does not."""

    def __init__(self, engine: Engine, session: Session, settings: Mapping[str, str]) -> None:
        self._engine = engine
        self._session = session
        self._settings = settings
        self._name = f"{session.project}-copying"

    def run(self, mounts: Sequence[str], script: str, *arguments: str) -> list[str]:
        """Run a shell script as root and return the lines it writes. Raises like `Engine.ask`."""
        given = ("--user", "0:0", "--entrypoint", "sh", self._shell_image())
        words = ("--rm", *mounts, *given, "-c", script, "sh", *arguments)
        try:
            return self._new(self._name, "run", *words).splitlines()
        except BaseException:
            with suppress(SimBuilderError):  # then the engine is out of reach
                self.end()
            raise

    def size(self, places: Sequence[str]) -> int:
        """Return how many bytes take the places in the container that runs; 0 if none does."""
        done = self._engine.attempt(("exec", self._name, "du", "-sk", *places), PATIENCE_S)
        # the container may have just ended, of which the engine tells on stdout, too
        return kilobytes([line for line in done.out.splitlines() if line[:1].isdigit()])

    def end(self) -> None:
        """End what runs, if anything does."""
        self._remove(self._name)

    def take(self, mounts: Sequence[str], places: Mapping[str, Path]) -> None:
        """Copy what is in each place into a folder on this machine that is there."""
        with self._idle(self._name, self._shell_image(), mounts) as name:
            for place, folder in places.items():
                self._engine.ask("cp", f"{name}:{place}/.", str(folder), timeout_s=LONGEST_S)

    def put(self, folder: Path, service: str, mount: str, place: str) -> None:
        """Copy what is in a folder on this machine to a place, which becomes root's.

        That is in the image of the service: what it says of the folder it keeps data in, such as
        whose that is, holds for a new volume.
        """
        with self._idle(f"{self._name}-{service}", self._image(service), [mount]) as name:
            self._engine.ask("cp", f"{folder}/.", f"{name}:{place}", timeout_s=LONGEST_S)

    @contextmanager
    def _idle(self, name: str, image: str, mounts: Sequence[str]) -> Iterator[str]:
        """Make a container that never runs."""
        try:
            self._new(name, "create", *mounts, image)
            yield name
        finally:
            self._remove(name)

    def _new(self, name: str, verb: str, *words: str) -> str:
        options = ("--network", "none", "--pull", "never", "--name", name)
        argv = (verb, *options, *labelled(marks_of(self._session)), *words)
        done = self._engine.attempt(argv, LONGEST_S)
        if done.status != 0 and "is already in use" in done.err:
            self._remove(name)
            done = self._engine.attempt(argv, LONGEST_S)
        if done.status != 0:
            raise self._explained(done.err.partition("\n\nRun 'docker")[0])
        return done.out

    def _explained(self, text: str) -> SimBuilderError:
        if '"sh": executable file not found' in text:
            return EngineError(
                f"the image {self._shell_image()} has no shell, which copying needs",
                "create a session with one that has, such as the -alpine variant of NATS",
            )
        return self._engine.explain(text)

    def _remove(self, name: str) -> None:
        self._engine.attempt(("rm", "--force", "--volumes", name), PATIENCE_S)

    def _shell_image(self) -> str:
        return self._image(next(s for s in _WITH_SHELL if s in self._session.services))

    def _image(self, service: str) -> str:
        return self._session.images.get(service, self._settings[variable(service)])


def mount(volume: str, place: str = "", *, readonly: bool = False) -> str:
    """Return the option that puts a volume in its place: `/<volume>` if left out."""
    more = ",readonly" if readonly else ""
    return f"--mount=type=volume,source={volume},target={place or f'/{volume}'}{more}"


def marks_of(session: Session) -> dict[str, str]:
    """Return the labels of whatever a session owns, as the compose files give them."""
    own = {labels.SESSION: session.id, labels.OWNER: session.owner, labels.SCHEMA: "1"}
    if session.mark == End():
        return own
    return own | {ends.EXPIRES: session.mark.expires_at, ends.BOUND_TO: session.bound_to}


def labelled(wanted: Mapping[str, str]) -> list[str]:
    """Return the options that put on labels."""
    return [f"--label={key}={value}" for key, value in wanted.items()]


def kilobytes(lines: Sequence[str]) -> int:
    """Return the sum of what `du -sk` says, in bytes."""
    return 1024 * sum(int(line.split()[0]) for line in lines)
