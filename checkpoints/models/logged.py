"""What is logged of a run: one line per step."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkpoints.models.runs import Run

logger = logging.getLogger(__name__)


@contextmanager
def logged(run: "Run", step: str) -> Iterator[None]:
    """Write one log line when a step has been done, or has failed."""
    began, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "done"
    finally:
        fields = {
            "run_id": run.pk,
            "user_id": run.owner_id,
            "kind": run.kind,
            "step": step,
            "outcome": outcome,
            "milliseconds": round((time.perf_counter() - began) * 1000),
        }
        logger.info(
            "%(kind)s, %(step)s: %(outcome)s in %(milliseconds)s ms, user %(user_id)s, run %(run_id)s",
            fields,
            extra=fields,
        )
