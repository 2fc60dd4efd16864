import os
from collections.abc import Callable
from typing import NoReturn

import pytest


@pytest.fixture(scope="session")
def missing_real_part() -> Callable[[str], NoReturn]:
    """Called with a reason where a test's real part (a server, a browser) is not installed.

    Skips the test; fails it where REQUIRE_REAL_SERVERS is set, as in continuous integration.
    """

    def report(reason: str) -> NoReturn:
        if os.environ.get("REQUIRE_REAL_SERVERS"):
            pytest.fail(f"real part missing: {reason}", pytrace=False)
        pytest.skip(f"real part missing: {reason}")

    return report
