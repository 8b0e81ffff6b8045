"""A real Neo4j 5 server of the user's (`NEO4J_HOME`) instead of the embedded graph database.

The folder only has to hold `lib`, as every unpacked distribution does: each session gets a home of
its own, with its configuration and data. Measured with 5.26.28 on Java 17: ready in 5 s, stopped in
1 s, where a server left to its default waits twice five seconds for new clients of Bolt.
"""

import re
import shutil
from pathlib import Path

from simbuilder.runtimes.local.server import Command, Graph, clean_environment, utc
from simbuilder.scaffolding import process
from simbuilder.scaffolding.environment import process_environment
from simbuilder.scaffolding.exceptions import RuntimeUnavailableError
from simbuilder.scaffolding.files import make_private_folder, write_atomic
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import EventSink

MAIN_CLASSES = {
    # the distribution's own launcher decides in the same way (org.neo4j.server.startup, 5.26)
    "enterprise": "com.neo4j.server.enterprise.EnterpriseEntryPoint",
    "community": "org.neo4j.server.CommunityEntryPoint",
}
_PASSWORD_TIMEOUT_S = 60.0

_LOGGED_AT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\+0000 ")


class Neo4jServer:
    """Runs the Neo4j server that is unpacked in a folder of the user's."""

    service = "neo4j"
    port_taken = re.compile("PortBindException|Address already in use")

    def __init__(self, graph: Graph) -> None:
        self._home = Path(graph.home)
        self._graph = graph

    def prepare(self, emit: EventSink) -> None:
        """Find the server and Java."""
        if not list(self._home.glob("lib/neo4j-[0-9]*.jar")):
            raise RuntimeUnavailableError(
                f"NEO4J_HOME={self._home} is no unpacked Neo4j 5 server: it has no lib/neo4j-*.jar",
                "correct NEO4J_HOME; without it new sessions use the embedded graph database",
            )
        _java()

    def command(self, session: Session, folder: Path) -> Command:
        """Write the configuration and, the first time, the password; Java finds the rest."""
        self._configure(session, make_private_folder(folder / "conf"))
        if not (folder / "data" / "dbms").exists():
            self._set_password(session, folder)
        edition = "enterprise" if list(self._home.glob("lib/neo4j-enterprise*")) else "community"
        heap = f"-Xmx{self._graph.heap}"
        argv = [*self._java(), heap, MAIN_CLASSES[edition], f"--home-dir={folder}"]
        return Command([*argv, f"--config-dir={folder / 'conf'}", "--console-mode"], {})

    def logged_at(self, line: str) -> float | None:
        """Every entry begins with it; stack traces do not."""
        return utc(_LOGGED_AT, line)

    def recover(self) -> bool:
        """There is nothing to mend."""
        return False

    def _java(self) -> list[str]:
        classes = f"{self._home / 'plugins'}/*:{self._home / 'lib'}/*"
        return [_java(), "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true", "-cp", classes]

    def _configure(self, session: Session, folder: Path) -> None:
        bolt, http = session.port("neo4j.bolt"), session.port("neo4j.http")
        settings = {
            "server.default_listen_address": catalog.HOST,
            "server.bolt.listen_address": f":{bolt}",
            "server.bolt.advertised_address": f"{catalog.HOST}:{bolt}",
            "server.http.listen_address": f":{http}",
            "server.http.advertised_address": f"{catalog.HOST}:{http}",
            "server.memory.pagecache.size": self._graph.page_cache,
            "dbms.usage_report.enabled": "false",
            "internal.dbms.bolt.netty_server_shutdown_quiet_period": "0",
        }
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        write_atomic(folder / "neo4j.conf", text)

    def _set_password(self, session: Session, folder: Path) -> None:
        """Let Neo4j's own tool store the first password, which it reads from a file of ours."""
        arguments = folder / "password.args"
        write_atomic(arguments, session.secrets["neo4j"] + "\n")
        tool = ["-XX:TieredStopAtLevel=1", "org.neo4j.cli.AdminTool"]
        argv = [*self._java(), *tool, "dbms", "set-initial-password", f"@{arguments}"]
        env = {"NEO4J_HOME": str(folder), "NEO4J_CONF": str(folder / "conf")}
        # a cleanup after our death must find the tool, or it would go on writing
        env[process.MARK] = process.mark_of(session.id, self.service, folder.parent.parent)
        try:
            done = process.run(argv, clean_environment(folder) | env, folder, _PASSWORD_TIMEOUT_S)
        finally:
            arguments.unlink()
        if done.status != 0:
            lines = f"{done.out}\n{done.err}".strip().splitlines()
            raise OSError(f"Neo4j refused its first password: {lines[-1] if lines else ''}")


def _java() -> str:
    env = process_environment()
    home = env.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else env.get("PATH"))
    if found is None:
        raise RuntimeUnavailableError(
            f"no Java {f'in JAVA_HOME={home}' if home else 'on the PATH'}",
            "Neo4j 5 needs Java 17 or 21: install one, or point JAVA_HOME to it",
        )
    return found
