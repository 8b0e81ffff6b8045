"""The short words that the tables of the model are written in."""

from simbuilder.graph.schema import Property, Type

DIRECTORY, IDENTITY, AUTHORITY = "Directory", "Identity", "Authority"
PLATFORM, CONTROL, LIFECYCLE = "Platform", "Control", "Lifecycle"
PRINCIPAL, RESOURCE, CLOUD = "Principal", "Resource", "AZBase"

GRAPH, ARM = "Microsoft Graph v1.0", "Azure Resource Manager"
OBJECT_ID, ARM_ID = "lower-case object id", "lower-case ARM id"
ANYTHING = (DIRECTORY, IDENTITY, AUTHORITY, PLATFORM)


def text(name: str, about: str, source: str = "") -> Property:
    """Declare one line of text: a name, an id, one of a few words."""
    return Property(name, Type.TEXT, about, source=source)


def texts(name: str, about: str, source: str = "") -> Property:
    """Declare a list of texts."""
    return Property(name, Type.TEXTS, about, source=source)


def flag(name: str, about: str, source: str = "") -> Property:
    """Declare what is so or not."""
    return Property(name, Type.BOOLEAN, about, source=source)


def moment(name: str, about: str, source: str = "") -> Property:
    """Declare a point in time."""
    return Property(name, Type.TIME, about, source=source)


def count(name: str, about: str, unit: str, source: str = "") -> Property:
    """Declare a whole quantity, and what it counts."""
    return Property(name, Type.INTEGER, about, unit, source)


def measure(name: str, about: str, unit: str, source: str = "") -> Property:
    """Declare a quantity with fractions, and its unit."""
    return Property(name, Type.NUMBER, about, unit, source)


def document(name: str, about: str, source: str = "") -> Property:
    """Declare something nested, kept as JSON text."""
    return Property(name, Type.DOCUMENT, about, source=source)


NAME = text("name", "Display name")
DESCRIPTION = text("description", "What its owner wrote about it")
CREATED = moment("created", "When the source says it was made")
UPDATED = moment("updated", "When the source says it last changed")
ENABLED = flag("account_enabled", "Whether it can sign in")
SYNCED = (
    flag("on_prem_sync_enabled", "Whether it is synchronised from Active Directory"),
    text("on_prem_sid", "Its security identifier in Active Directory"),
    moment("on_prem_last_sync", "When it was last synchronised"),
)
TERM = (
    moment("start_at", "When it begins to count"),
    moment("end_at", "When it stops counting; absent if never"),
)
TAGS = document("tags", "Tags by name")
DERIVED = (
    flag("derived", "Whether a rule concluded it rather than a source said it"),
    text("rule", "The rule that concluded it"),
    texts("via", "The uids that the conclusion rests on"),
)
ORIGIN = text("bloodhound_kind", "The exact BloodHound edge kind that it is exported as")
ROLE = text("role", "The name of the role")
SCOPE = text("scope", "What it is limited to; `/` for the whole tenant")
