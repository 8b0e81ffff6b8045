"""How services and workers are."""

from typing import ClassVar, Literal

from pydantic import Field

from simbuilder.bus.events import EventData


class ServiceChecked(EventData):
    """A service was asked how it is."""

    TYPE: ClassVar[str] = "sim.health.v1.service.checked"

    service: str = Field(description="Which one.", examples=["neo4j"])
    state: Literal["ready", "starting", "down"] = Field(description="What was found.")
    detail: str = Field(default="", description="More, for people.")


class WorkerStarted(EventData):
    """A worker has begun to take events of a queue."""

    TYPE: ClassVar[str] = "sim.health.v1.worker.started"

    worker: str = Field(description="The worker's id.", examples=["planner-4c1d"])
    queue: str = Field(description="The queue that it works on.", examples=["planner"])


class WorkerStopped(EventData):
    """A worker has stopped, having settled or returned all that it held."""

    TYPE: ClassVar[str] = "sim.health.v1.worker.stopped"

    worker: str = Field(description="The worker's id.", examples=["planner-4c1d"])
    queue: str = Field(description="The queue that it worked on.", examples=["planner"])
    done: int = Field(default=0, description="How many events it finished.", ge=0)
