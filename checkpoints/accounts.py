"""What accounts do differently here than in allauth."""

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Knows that not all that is sent as the next page is an address."""

    def is_safe_url(self, url: str) -> bool:
        """Tell whether to go there after signing in."""
        try:
            return bool(super().is_safe_url(url))
        except ValueError:  # such as "http://["
            return False
