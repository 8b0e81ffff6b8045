"""What runs and their steps ask for and report. Their events have the run as their key."""

from typing import Any, ClassVar

from pydantic import Field

from simbuilder.bus.events import EventData


class RunRequested(EventData):
    """Somebody wants a plan to be carried out."""

    TYPE: ClassVar[str] = "sim.workflow.v1.run.requested"

    run: str = Field(description="The run's id.", examples=["run-7f3a"])
    plan: str = Field(description="What is to be carried out.", examples=["golden-saml"])
    inputs: dict[str, Any] = Field(default={}, description="The plan's own parameters.")


class RunStarted(EventData):
    """A run has begun."""

    TYPE: ClassVar[str] = "sim.workflow.v1.run.started"

    run: str = Field(description="The run's id.", examples=["run-7f3a"])
    steps: int = Field(default=0, description="How many steps it has.", ge=0)


class RunFinished(EventData):
    """All steps of a run are done."""

    TYPE: ClassVar[str] = "sim.workflow.v1.run.finished"

    run: str = Field(description="The run's id.", examples=["run-7f3a"])
    seconds: float = Field(default=0.0, description="How long it took.", ge=0)


class RunFailed(EventData):
    """A run has ended before all of its steps were done."""

    TYPE: ClassVar[str] = "sim.workflow.v1.run.failed"

    run: str = Field(description="The run's id.", examples=["run-7f3a"])
    reason: str = Field(description="Why, in one sentence.", examples=["step 3 was refused"])
    step: str | None = Field(default=None, description="The step that failed.")


class StepRequested(EventData):
    """A step is to be done by whichever worker takes it."""

    TYPE: ClassVar[str] = "sim.workflow.v1.step.requested"

    run: str = Field(description="The run that it belongs to.", examples=["run-7f3a"])
    step: str = Field(description="The step's name within its run.", examples=["add-application"])
    inputs: dict[str, Any] = Field(default={}, description="The step's own parameters.")


class StepStarted(EventData):
    """A worker has begun a step."""

    TYPE: ClassVar[str] = "sim.workflow.v1.step.started"

    run: str = Field(description="The run that it belongs to.", examples=["run-7f3a"])
    step: str = Field(description="The step's name within its run.", examples=["add-application"])
    attempt: int = Field(default=1, description="The first, the second, ...", ge=1)


class StepFinished(EventData):
    """A step is done."""

    TYPE: ClassVar[str] = "sim.workflow.v1.step.finished"

    run: str = Field(description="The run that it belongs to.", examples=["run-7f3a"])
    step: str = Field(description="The step's name within its run.", examples=["add-application"])
    outputs: dict[str, Any] = Field(default={}, description="What later steps can use.")


class StepFailed(EventData):
    """A step could not be done."""

    TYPE: ClassVar[str] = "sim.workflow.v1.step.failed"

    run: str = Field(description="The run that it belongs to.", examples=["run-7f3a"])
    step: str = Field(description="The step's name within its run.", examples=["add-application"])
    reason: str = Field(description="Why, in one sentence.", examples=["no such application"])
    final: bool = Field(default=True, description="Whether it will not be tried again.")
