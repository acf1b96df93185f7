"""Django's Postgres backend, connecting to the embedded server and starting it when it is needed."""

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from neon.local import postgres


class DatabaseWrapper(base.DatabaseWrapper):
    """Postgres at the embedded server's address, which is known only once the server runs."""

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's parameters with the embedded server's address put in."""
        return {**super().get_connection_params(), **postgres.embedded().address()}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; a server that does not answer is looked for, and started, once more."""
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError:
            postgres.embedded().forget()
            return super().get_new_connection({**conn_params, **postgres.embedded().address()})

    def is_usable(self) -> bool:
        """Tell, without a round trip, that the server said nothing: to an idle client it only says good-bye."""
        if self.connection.info.transaction_status not in {TransactionStatus.IDLE, TransactionStatus.INTRANS}:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
