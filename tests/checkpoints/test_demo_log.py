"""What a running demo writes of its requests: never the token of its sign-in link, nor an address with a password."""

import re

from tests.checkpoints.demo import Demo
from tests.waiting import until


def test_the_token_is_in_no_line_but_the_one_that_tells_it(tmp_path):
    talkative = {"LOG_LEVEL": "INFO", "LOG_FORMAT": "json", "GRANIAN_LOG_ACCESS_ENABLED": "true"}
    demo = Demo(tmp_path / "data", "--port", "8790", **talkative)
    written = demo._output.read_text  # not its output, in which there may be no traceback
    try:
        demo.announced()
        with demo.visitor() as guest:
            assert guest.landed.status_code == 200
            assert guest.get(demo.sign_in).status_code == 403  # once is enough
        until(lambda: "GET /demo/sign-in/: 403" in written())
    finally:
        demo.stop()
    lines = [line for line in written().splitlines() if demo.sign_in.partition("sesame=")[2] in line]
    assert len(lines) == 1
    assert lines[0].startswith("Sign in ")
    assert not re.search(r"postgres(ql)?://(?!\*\*\*)", written())
