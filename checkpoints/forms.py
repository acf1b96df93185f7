"""Forms of the site's own actions."""

from typing import Any

from django import forms

from checkpoints.models import Checkpoint


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
