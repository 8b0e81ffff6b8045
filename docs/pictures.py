"""Takes the pictures in `docs/pictures` from real runs: `python -m docs.pictures`.

Only the paths in them are changed: they are of a user who is called `you`. The sessions are of a
state folder of their own, and gone afterwards.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from simbuilder.cli.watching.actions import act
from simbuilder.cli.watching.app import WatchApp
from simbuilder.composition import rooms
from simbuilder.scaffolding.environment import core_settings, read_environment

PICTURES = Path(__file__).with_name("pictures")
COMMAND = str(Path(sys.executable).with_name("simbuilder"))
WIDTH = 116


class Home:
    """A user's folder, in which commands run on the local runtime."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        (self.folder / ".git").mkdir(parents=True)
        cache = core_settings(read_environment(Path.cwd())).cache_dir
        mine = {"HOME": str(folder), "COLUMNS": str(WIDTH), "SIMBUILDER_CACHE_DIR": str(cache)}
        self.env = {**os.environ, **mine, "SIMBUILDER_RUNTIME": "local"}

    def run(self, *arguments: str) -> str:
        """Return what a command shows in a pipe; it must succeed."""
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        return self.clean(done.stdout)

    def clean(self, text: str) -> str:
        """Return the text with the paths of somebody called `you`."""
        return text.replace(str(self.folder.parent), "/home/you")


def picture(name: str, shown: list[tuple[str, str]]) -> None:
    """Draw commands and what they show as docs/pictures/<name>.svg."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere)
        for command, output in shown:
            console.print(Text(f"$ {command}", style="bold green"))
            console.print(Text.from_ansi(output))
        save(name, console.export_svg(title="SimBuilder", theme=DIMMED_MONOKAI))


def save(name: str, svg: str) -> None:
    """Write a picture; whoever looks at it need not ask a font server."""
    alone = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    plain = alone.replace("Fira Code, monospace", "monospace").replace("Fira Code", "monospace")
    plain = plain.replace("<svg ", '<svg xml:space="preserve" ', 1)  # or some lose leading spaces
    (PICTURES / f"{name}.svg").write_text(plain, encoding="utf-8")


async def watched(home: Home) -> str:
    """Return what `session watch` shows once every server has been asked."""
    os.environ.update(home.env)
    made = rooms(lambda _event: None, home.folder)
    watcher = made.watcher(1.0)
    watcher.start()
    try:
        app = WatchApp(watcher, act)
        async with app.run_test(size=(130, 22)) as pilot:
            await pilot.pause(15)
            return home.clean(app.export_screenshot(title="SimBuilder"))
    finally:
        watcher.stop()


def main() -> int:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name).resolve())
        try:
            create = ("session", "create", "--start-containers", "--name", "lab")
            picture("start", [(f"simbuilder {' '.join(create)}", home.run(*create))])
            home.run("session", "fork", "lab", "--name", "attempt", "--ttl", "8h")
            home.run("session", "create", "--name", "later", "--services", "nats")
            listed = home.run("session", "list")
            picture("list", [("simbuilder session list", listed)])
            save("watch", asyncio.run(watched(home)))
        finally:
            home.run("session", "cleanup", "--all", "--yes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
