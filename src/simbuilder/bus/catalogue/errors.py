"""What went wrong anywhere."""

from typing import ClassVar

from pydantic import Field

from simbuilder.bus.events import EventData


class ComponentFailed(EventData):
    """A component could not do something, and says so to whoever watches."""

    TYPE: ClassVar[str] = "sim.errors.v1.component.failed"

    component: str = Field(description="Which one.", examples=["planner"])
    code: str = Field(description="Stable and machine readable.", examples=["graph-timeout"])
    message: str = Field(description="One sentence, without secrets.")
    hint: str = Field(default="", description="What to do next.")
