"""The site as a Django application."""

from django.apps import AppConfig


class CheckpointsConfig(AppConfig):
    """Registers the settings checks."""

    name = "checkpoints"

    def ready(self) -> None:
        """Load the checks."""
        from checkpoints import checks  # noqa: F401
