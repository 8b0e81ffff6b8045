"""Typed settings for components, on pydantic-settings.

Session commands do without this module (see `environment`): loading it costs 0.15 s.
"""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from simbuilder.scaffolding import environment as env
from simbuilder.scaffolding.exceptions import ConfigurationError

Port = Annotated[int, BeforeValidator(lambda value: env.parse_port(str(value)))]


S = TypeVar("S", bound="_Layered")


class _Layered(BaseSettings):
    """Takes its values from our three layers only: both readers must see the same ones."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class AzureSettings(_Layered):
    """Which Azure tenant to work with; needed by no session command."""

    tenant_id: str | None = Field(None, alias="AZURE_TENANT_ID", description="Entra tenant id.")
    subscription_id: str | None = Field(
        None, alias="AZURE_SUBSCRIPTION_ID", description="Azure subscription id."
    )
    client_id: str | None = Field(
        None, alias="AZURE_CLIENT_ID", description="Application (client) id to sign in as."
    )
    client_secret: SecretStr | None = Field(
        None, alias="AZURE_CLIENT_SECRET", description="Secret of that application."
    )


class OpenAISettings(_Layered):
    """Which Azure OpenAI deployment the agents talk to; needed by no session command."""

    endpoint: str | None = Field(
        None, alias="AZURE_OPENAI_ENDPOINT", description="Endpoint URL of the resource."
    )
    api_key: SecretStr | None = Field(
        None, alias="AZURE_OPENAI_API_KEY", description="Key of the resource."
    )
    deployment: str | None = Field(
        None, alias="AZURE_OPENAI_DEPLOYMENT", description="Name of the model deployment."
    )
    api_version: str | None = Field(
        None, alias="AZURE_OPENAI_API_VERSION", description="API version to request."
    )


class Settings(_Layered):
    """Everything a component may want to know; `azure` and `openai` are read when first used."""

    environment: str = Field(
        alias="ENVIRONMENT", description="development (readable logs) or production (JSON lines)."
    )
    log_level: str = Field(
        alias="LOG_LEVEL", description="DEBUG, INFO, WARNING, ERROR or CRITICAL."
    )
    state_dir: Path = Field(
        alias="SIMBUILDER_STATE_DIR",
        description="Folder of session records and data; default: the user's state folder.",
    )
    cache_dir: Path = Field(
        alias="SIMBUILDER_CACHE_DIR",
        description="Folder of downloaded servers; default: the user's cache folder.",
    )
    runtime: str = Field(
        alias="SIMBUILDER_RUNTIME", description="Runtime of new sessions: auto, local or docker."
    )
    port_range_start: int = Field(
        alias="SIMBUILDER_PORT_RANGE_START", description="First port sessions may use."
    )
    port_range_end: int = Field(
        alias="SIMBUILDER_PORT_RANGE_END", description="Last port sessions may use."
    )
    neo4j_home: str = Field(
        alias="NEO4J_HOME",
        description="Unpacked Neo4j 5 server for local sessions; default: the embedded database.",
    )
    publish_address: str = Field(
        alias="SIMBUILDER_PUBLISH_ADDRESS",
        description="Address Docker publishes ports on; only an engine elsewhere needs another.",
    )
    neo4j_image: str = Field(alias="NEO4J_IMAGE", description="Image of Neo4j.")
    nats_image: str = Field(alias="NATS_IMAGE", description="Image of NATS.")
    azurite_image: str = Field(alias="AZURITE_IMAGE", description="Image of Azurite.")
    neo4j_heap_size: str = Field(alias="NEO4J_HEAP_SIZE", description="Java heap of Neo4j.")
    neo4j_page_cache_size: str = Field(
        alias="NEO4J_PAGE_CACHE_SIZE", description="Page cache of Neo4j."
    )
    neo4j_memory_limit: str = Field(
        alias="NEO4J_MEMORY_LIMIT", description="Most memory the Neo4j container may take."
    )
    nats_memory_limit: str = Field(
        alias="NATS_MEMORY_LIMIT", description="Most memory the NATS container may take."
    )
    azurite_memory_limit: str = Field(
        alias="AZURITE_MEMORY_LIMIT", description="Most memory the Azurite container may take."
    )
    session_id: str | None = Field(
        None, alias="SIMBUILDER_SESSION_ID", description="The current session."
    )
    session_short: str | None = Field(
        None, alias="SIMBUILDER_SESSION_SHORT", description="Its first eight characters."
    )
    subnet: str | None = Field(
        None, alias="SIMBUILDER_SUBNET", description="Addresses of its containers (CIDR)."
    )
    owner: str | None = Field(
        None, alias="SIMBUILDER_OWNER", description="Whose state folder knows the session."
    )
    host: str | None = Field(
        None, alias="SIMBUILDER_HOST", description="Where its servers are, if not on 127.0.0.1."
    )
    published_on: str | None = Field(
        None, alias="SIMBUILDER_PUBLISHED_ON", description="Address their ports are bound to then."
    )
    compose_project_name: str | None = Field(
        None, alias="COMPOSE_PROJECT_NAME", description="simbuilder-<short>."
    )
    neo4j_port: Port | None = Field(None, alias="NEO4J_PORT", description="Graph database, Bolt.")
    neo4j_http_port: Port | None = Field(
        None, alias="NEO4J_HTTP_PORT", description="Graph database, HTTP."
    )
    neo4j_uri: str | None = Field(None, alias="NEO4J_URI", description="bolt://host:port.")
    neo4j_user: str | None = Field(None, alias="NEO4J_USER", description="Graph database user.")
    neo4j_password: SecretStr | None = Field(
        None, alias="NEO4J_PASSWORD", description="Graph database password."
    )
    neo4j_database: str | None = Field(
        None, alias="NEO4J_DATABASE", description="Graph database name."
    )
    nats_port: Port | None = Field(None, alias="NATS_PORT", description="NATS, clients.")
    nats_http_port: Port | None = Field(
        None, alias="NATS_HTTP_PORT", description="NATS, monitoring over HTTP."
    )
    nats_user: str | None = Field(None, alias="NATS_USER", description="NATS user.")
    nats_password: SecretStr | None = Field(
        None, alias="NATS_PASSWORD", description="NATS password."
    )
    nats_url: SecretStr | None = Field(
        None, alias="NATS_URL", description="nats://user:password@host:port."
    )
    service_bus_url: SecretStr | None = Field(
        None, alias="SERVICE_BUS_URL", description="Service bus, with credentials."
    )
    azurite_blob_port: Port | None = Field(
        None, alias="AZURITE_BLOB_PORT", description="Storage emulator, blobs."
    )
    azurite_queue_port: Port | None = Field(
        None, alias="AZURITE_QUEUE_PORT", description="Storage emulator, queues."
    )
    azurite_table_port: Port | None = Field(
        None, alias="AZURITE_TABLE_PORT", description="Storage emulator, tables."
    )
    azurite_accounts: SecretStr | None = Field(
        None, alias="AZURITE_ACCOUNTS", description="Storage emulator, account:key."
    )
    azure_storage_connection_string: SecretStr | None = Field(
        None,
        alias="AZURE_STORAGE_CONNECTION_STRING",
        description="Storage emulator, for the Azure SDKs.",
    )
    core_api_port: Port | None = Field(None, alias="CORE_API_PORT", description="Core API.")
    core_api_url: str | None = Field(None, alias="CORE_API_URL", description="Core API.")
    api_gateway_port: Port | None = Field(
        None, alias="API_GATEWAY_PORT", description="API gateway."
    )
    api_gateway_url: str | None = Field(None, alias="API_GATEWAY_URL", description="API gateway.")


SECTIONS: tuple[tuple[str, type[_Layered]], ...] = (
    ("SimBuilder", Settings),
    ("Azure (optional; no session command reads these)", AzureSettings),
    ("Azure OpenAI (optional; no session command reads these)", OpenAISettings),
)
GENERATED_FROM = "session_id"
"""From this field on, `Settings` are written to `.env.session` by `session create`."""


def get_settings(folder: Path | None = None) -> Settings:
    """Return the settings that hold in `folder` (default: the current one).

    Raises `ConfigurationError` that names the variable, its value and where it came from.
    """
    return _load(Settings, folder)


def get_azure_settings(folder: Path | None = None) -> AzureSettings:
    """Return the Azure settings; all may be `None`. Raises like `get_settings`."""
    return _load(AzureSettings, folder)


def get_openai_settings(folder: Path | None = None) -> OpenAISettings:
    """Return the Azure OpenAI settings; all may be `None`. Raises like `get_settings`."""
    return _load(OpenAISettings, folder)


def _load(cls: type[S], folder: Path | None) -> S:
    layers = env.read_environment(folder or Path.cwd())
    texts: dict[str, Any] = dict(layers.texts())
    if cls is Settings:
        texts |= env.core_settings(layers).by_variable()
    names = [str(field.alias) for field in cls.model_fields.values()]
    try:
        return cls(**{name: texts[name] for name in names if name in texts})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        value = layers.get(name)
        reason = str(first["msg"]).removeprefix("Value error, ")
        secret = dict(known_settings())[name]
        raise ConfigurationError(
            f"{name}{'' if secret else f'={value.text!r}'} (from {value.source}) {reason}",
            f"correct {name} in {value.source}, or remove it",
        ) from None


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def known_settings() -> list[tuple[str, bool]]:
    """Return (variable, is it secret) of every setting, in the order of `.env.template`."""
    return [
        (str(field.alias), _is_secret(field))
        for _, cls in SECTIONS
        for field in cls.model_fields.values()
    ]


def env_template() -> str:
    """Return the text of `.env.template`: every setting, documented, commented out."""
    lines = [
        "# Settings of SimBuilder. Copy to .env and uncomment what you want to change.",
        "# The real environment beats .env, and .env beats the generated .env.session.",
    ]
    for title, cls in SECTIONS:
        lines += ["", f"# --- {title}"]
        for name, field in cls.model_fields.items():
            if name == GENERATED_FROM:
                lines += ["", "# --- Written to .env.session by `simbuilder session create`"]
            default = env.DEFAULTS.get(str(field.alias), "")
            lines += [f"# {field.description}", f"# {field.alias}={default}"]
    return "\n".join(lines) + "\n"
