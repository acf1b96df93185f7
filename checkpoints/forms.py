"""Forms of the site's own actions."""

from django import forms


class StartForm(forms.Form):
    """Starts the demo; names the project that the user agrees to lose, if there is one."""

    replace = forms.UUIDField(required=False, widget=forms.HiddenInput)
