"""New keys for what is encrypted in the databases."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models, transaction

from checkpoints.fields import EncryptedTextField
from neon import service as neon


class Command(BaseCommand):
    """Read under any of the keys, write under the first."""

    help = "Encrypt everything anew under the first of FIELD_ENCRYPTION_KEYS, so that the others can go."

    def handle(self, *args: Any, **options: Any) -> None:
        """Go row by row; what an exception ends can be run again."""
        values = sum(
            reencrypt(model, field.name)
            for model in apps.get_models()
            for field in model._meta.concrete_fields
            if isinstance(field, EncryptedTextField)
        )
        passwords = neon.reencrypt_passwords()
        self.stdout.write(f"{values} database URIs and {passwords} passwords of roles are under the first key now.")


def reencrypt(model: type[models.Model], name: str) -> int:
    """Write a field of all rows again, and return how many there are."""
    count = 0
    for pk in model._base_manager.values_list("pk", flat=True):
        with transaction.atomic():  # the row's lock keeps what somebody else writes meanwhile
            row = model._base_manager.select_for_update().only(name).filter(pk=pk).first()
            if row is not None:
                row.save(update_fields=[name])
                count += 1
    return count
