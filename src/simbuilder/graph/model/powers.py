"""Which Azure roles give power, so that no attack path leads through those that only look."""

LOOKING = frozenset(
    (
        *("reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"),
        *("acrpull", "7f951dda-4ed3-4680-a7ca-43fe172d538d"),
        *("billing reader", "fa23ad8b-c56e-40d8-ac0c-ce449e1d2c64"),
        *("cost management reader", "72fafb9e-0641-4937-9268-a91bfd8191a3"),
        *("key vault reader", "21090545-7ca7-4776-b22c-e363652d74d2"),
        *("log analytics reader", "73c42c96-874c-492b-b04d-ab87d138a893"),
        *("monitoring reader", "43d0d8ad-25c7-4714-9337-8ba259a9fe05"),
        *("security reader", "39bc4728-0917-49c7-9d2c-d95423bc2eb4"),
    )
)
"""Built-in roles that change nothing and read no secret, by name and by GUID (Azure built-in roles
reference). `Reader and Data Access`, say, is none of them: it lists the keys of storage."""


def rbac_kind(role: str) -> str:
    """Return the kind of relationship that an Azure role is, by its name or its GUID.

    A role that is not known counts as one that gives power.
    """
    return "VIEWS" if role.lower() in LOOKING else "HAS_RBAC"
