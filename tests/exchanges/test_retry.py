"""How often a request is tried again, and when. The sleep is not a real one."""

from collections.abc import Sequence

import pytest

from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    MalformedAnswerError,
    NetworkFaultError,
    RateLimitedError,
    RequestRejectedError,
    RunEndedError,
    ServerFaultError,
    TransientExchangeError,
)
from candle_ingestor.exchanges.retry import (
    NETWORK_FAULT_TRIES,
    SERVER_FAULT_TRIES,
    RetryPolicy,
)

SERVER = ServerFaultError("500")
NETWORK = NetworkFaultError("reset")
LIMITED = RateLimitedError("429", None)


class Asked:
    """Answers with errors in their order, then with "done"; remembers waits and retries."""

    def __init__(
        self,
        errors: Sequence[ExchangeError],
        policy: RetryPolicy | None = None,
        seconds_left: float | None = None,
    ) -> None:
        self.errors = list(errors)
        self.policy = policy or RetryPolicy()
        self.left = seconds_left
        self.tries = 0
        self.slept: list[float] = []
        self.retried: list[TransientExchangeError] = []

    async def ask(self) -> str:
        self.tries += 1
        if self.tries <= len(self.errors):
            raise self.errors[self.tries - 1]
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.left is not None:
            self.left -= seconds

    def on_retry(self, error: TransientExchangeError, seconds: float) -> None:
        self.retried.append(error)
        assert seconds >= 0

    async def run(self) -> str:
        return await self.policy.run(
            self.ask,
            seconds_left=lambda: self.left,
            sleep=self.sleep,
            on_retry=self.on_retry,
        )


async def test_an_answer_needs_no_second_try() -> None:
    asked = Asked([])

    assert await asked.run() == "done"
    assert (asked.tries, asked.slept, asked.retried) == (1, [], [])


@pytest.mark.parametrize(
    ("error", "tries"), [(SERVER, SERVER_FAULT_TRIES), (NETWORK, NETWORK_FAULT_TRIES)]
)
async def test_faults_are_tried_as_often_as_their_kind_allows(
    error: ExchangeError, tries: int
) -> None:
    lucky = Asked([error] * (tries - 1))
    assert await lucky.run() == "done"
    assert lucky.retried == [error] * (tries - 1)

    unlucky = Asked([error] * tries)
    with pytest.raises(type(error)) as caught:
        await unlucky.run()
    assert caught.value is error
    assert unlucky.tries == tries
    assert len(unlucky.slept) == len(unlucky.retried) == tries - 1


def test_the_failure_table_says_three_tries_and_five() -> None:
    assert (SERVER_FAULT_TRIES, NETWORK_FAULT_TRIES) == (3, 5)


async def test_kinds_are_counted_apart() -> None:
    mixed = [SERVER, NETWORK, LIMITED, SERVER, NETWORK, LIMITED, NETWORK, NETWORK]

    asked = Asked(mixed)
    assert await asked.run() == "done"

    asked = Asked([*mixed, SERVER])
    with pytest.raises(ServerFaultError):
        await asked.run()


@pytest.mark.parametrize(
    "error",
    [ExchangeRefusedError("403"), MalformedAnswerError("html"), RequestRejectedError("symbol")],
)
async def test_what_is_permanent_is_not_tried_again(error: ExchangeError) -> None:
    asked = Asked([error])

    with pytest.raises(type(error)):
        await asked.run()
    assert asked.tries == 1
    assert asked.retried == []


async def test_waits_grow_with_jitter_up_to_the_longest() -> None:
    policy = RetryPolicy(first_wait_seconds=1.0, longest_wait_seconds=4.0)
    for _ in range(20):
        asked = Asked([NETWORK] * 4, policy)
        await asked.run()
        assert all(0 <= wait <= most for wait, most in zip(asked.slept, (1, 2, 4, 4), strict=True))
    assert len(set(asked.slept)) == 4


async def test_retry_after_is_waited_out_and_a_little_more() -> None:
    asked = Asked([RateLimitedError("429", 20.0)], RetryPolicy(first_wait_seconds=0.5))

    await asked.run()

    assert 20.0 <= asked.slept[0] <= 20.05


async def test_rate_limits_are_waited_out_for_as_long_as_the_run_has_time() -> None:
    policy = RetryPolicy(rate_limit_patience_seconds=1.0)
    asked = Asked([RateLimitedError("429", 10.0)] * 50, policy, seconds_left=3600.0)

    assert await asked.run() == "done"
    assert sum(asked.slept) >= 500


async def test_without_an_end_of_the_run_patience_has_one() -> None:
    policy = RetryPolicy(0.001, 0.01, rate_limit_patience_seconds=95)
    asked = Asked([RateLimitedError("429", 10.0)] * 50, policy)

    with pytest.raises(RateLimitedError):
        await asked.run()
    assert sum(asked.slept) <= 95
    assert asked.tries == 10


@pytest.mark.parametrize("error", [SERVER, NETWORK, RateLimitedError("429", 10.0)])
async def test_nothing_is_waited_for_that_ends_after_the_run(error: ExchangeError) -> None:
    asked = Asked([error] * 9, RetryPolicy(first_wait_seconds=1.0), seconds_left=0.0)

    with pytest.raises(RunEndedError, match=str(error)):
        await asked.run()
    assert asked.tries == 1
    assert asked.slept == []


async def test_a_wait_longer_than_what_is_left_of_the_run_is_not_begun() -> None:
    asked = Asked([RateLimitedError("429", 30.0)], seconds_left=29.0)

    with pytest.raises(RunEndedError) as caught:
        await asked.run()
    assert asked.slept == []
    assert not isinstance(caught.value, ExchangeError)


async def test_tries_that_are_used_up_are_a_failure_even_when_the_time_is_up() -> None:
    asked = Asked([SERVER] * 9, RetryPolicy(0.0, 0.0), seconds_left=3600.0)

    async def sleep_to_the_end(seconds: float) -> None:
        asked.slept.append(seconds)
        if len(asked.slept) == SERVER_FAULT_TRIES - 1:
            asked.left = 0.0

    with pytest.raises(ServerFaultError):
        await asked.policy.run(
            asked.ask,
            seconds_left=lambda: asked.left,
            sleep=sleep_to_the_end,
            on_retry=asked.on_retry,
        )


async def test_an_error_that_is_no_error_of_an_exchange_passes_at_once() -> None:
    asked = Asked([ZeroDivisionError()])  # type: ignore[list-item]

    with pytest.raises(ZeroDivisionError):
        await asked.run()
    assert asked.tries == 1
