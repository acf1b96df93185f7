"""Forms of the site's own actions."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms

from checkpoints.models import Checkpoint

# Later than anybody has seen a page, and still a date.
LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


class ClickForm(forms.Form):
    """Comes with every button that begins a run: when the page was made that it is on."""

    seen = forms.FloatField(required=False, min_value=0, max_value=LATEST)

    @property
    def moment(self) -> datetime | None:
        """Return when that was, if the click says so."""
        seen = self.cleaned_data["seen"] if self.is_valid() else None
        return seen and datetime.fromtimestamp(seen, UTC)


class EarlierForm(forms.Form):
    """Looks at earlier checkpoints: those before this one."""

    before = forms.UUIDField(required=False)

    @property
    def checkpoint(self) -> UUID | None:
        """Return its id, if it is one."""
        return self.cleaned_data["before"] if self.is_valid() else None


class StartForm(forms.Form):
    """Starts the demo; names the project that the user agrees to lose, if there is one."""

    replace = forms.UUIDField(required=False, widget=forms.HiddenInput)


class RetryForm(forms.Form):
    """Tries a failed run again; where there was no room for a snapshot, with what the user decided about that."""

    prune = forms.UUIDField(required=False)
    unsaved = forms.BooleanField(required=False)
    anyway = forms.BooleanField(required=False)

    @property
    def decided(self) -> dict[str, Any]:
        """Return what the run is to know of it."""
        facts = self.cleaned_data | {"prune": str(self.cleaned_data["prune"] or "")}
        return {name: value for name, value in facts.items() if value}


class PinForm(forms.ModelForm[Checkpoint]):
    """Pins a checkpoint, or unpins it."""

    class Meta:
        model = Checkpoint
        fields = ("pinned",)


class RenameForm(forms.ModelForm[Checkpoint]):
    """Gives a checkpoint a label, or takes it away."""

    class Meta:
        model = Checkpoint
        fields = ("label",)
        labels = {"label": "Name"}  # noqa: RUF012
        help_texts = {"label": "Shown in place of the prompt"}  # noqa: RUF012
