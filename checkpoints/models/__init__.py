"""What the meta database holds: projects, checkpoints and runs."""

from checkpoints.models.projects import Checkpoint, Project
from checkpoints.models.runs import Attempt, Run, Step, plan

__all__ = ["Attempt", "Checkpoint", "Project", "Run", "Step", "plan"]
