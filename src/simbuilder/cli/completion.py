"""What a shell offers when Tab is pressed: read from the records alone, and never an error."""


def sessions(incomplete: str) -> list[tuple[str, str]]:
    """Offer each session by its name, and by its id if it has none or an id was begun."""
    from pathlib import Path

    from simbuilder.scaffolding.environment import core_settings, read_environment
    from simbuilder.scaffolding.exceptions import SimBuilderError
    from simbuilder.sessions.store import SessionStore

    try:
        store = SessionStore(core_settings(read_environment(Path.cwd())).state_dir)
        known, _ = store.load_all()
    except (SimBuilderError, OSError):  # the command itself will say what is wrong
        return []
    offers = [(s.name, f"{s.runtime} session of {s.folder}") for s in known if s.name]
    offers += [
        (s.short, f"{s.runtime} session {s.label} of {s.folder}")
        for s in known
        if not s.name or (incomplete and s.short.startswith(incomplete))
    ]
    return offers


def sessions_and_services(incomplete: str) -> list[tuple[str, str]]:
    """Offer each session, and the names of all services."""
    return [*sessions(incomplete), *((name, "a service") for name in services())]


def formats() -> list[str]:
    """Offer the formats of `session env`."""
    from simbuilder.sessions.formats import FORMATS

    return list(FORMATS)


def services() -> list[str]:
    """Offer the names of all services."""
    from simbuilder.sessions.catalog import SERVICES

    return [spec.name for spec in SERVICES]


def service_list(incomplete: str) -> list[str]:
    """Offer what a comma-separated list of services can go on with."""
    done, comma, _ = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in services() if name not in done.split(",")]


def profiles() -> list[str]:
    """Offer the profiles there are."""
    from simbuilder.sessions.catalog import PROFILES

    return list(PROFILES)


def runtimes() -> list[str]:
    """Offer the runtimes, and `auto`."""
    from simbuilder.scaffolding.environment import RUNTIMES

    return list(RUNTIMES)
