"""What the meta database holds: projects, checkpoints and runs."""

from checkpoints.models.projects import Checkpoint, Project
from checkpoints.models.runs import Run
from checkpoints.models.steps import Attempt, Step, plan

__all__ = ["Attempt", "Checkpoint", "Project", "Run", "Step", "plan"]
