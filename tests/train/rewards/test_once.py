"""One question, one call, however many want the answer and whoever of them gives up."""

from __future__ import annotations

import asyncio
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from coreact.train.rewards.once import Once


def positive(value: int) -> bool:
    return value > 0


class Asked:
    """Answers after a while, and counts; raises where the answer is an error."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        answer = self.answers[min(self.calls, len(self.answers)) - 1]
        await asyncio.sleep(0.01)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_those_who_come_while_somebody_asks_share_the_answer() -> None:
    once, asked = Once[int](), Asked(7)
    told = await asyncio.gather(*(once.aget("a", asked) for _ in range(8)))
    assert (asked.calls, [one.value for one in told]) == (1, [7] * 8)
    assert [one.fresh for one in told] == [True] + [False] * 7
    assert once.get("a", lambda: 0).value == 7


async def test_a_failure_is_shared_and_not_remembered() -> None:
    once, asked = Once[int](), Asked(OSError("down"), 7)
    told = await asyncio.gather(*(once.aget("a", asked) for _ in range(3)), return_exceptions=True)
    assert (asked.calls, [type(one) for one in told]) == (1, [OSError] * 3)
    assert (await once.aget("a", asked)).value == 7


async def test_what_is_not_worth_keeping_is_shared_and_asked_again() -> None:
    once, asked = Once[int](keep=positive), Asked(-1, 7)
    told = await asyncio.gather(*(once.aget("a", asked) for _ in range(3)))
    assert (asked.calls, {one.value for one in told}) == (1, {-1})
    assert (await once.aget("a", asked)).value == 7


async def test_where_the_one_who_asks_gives_up_another_asks() -> None:
    once, asked = Once[int](), Asked(7)
    first, second = (asyncio.create_task(once.aget("a", asked)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).value == 7
    assert asked.calls == 2
    with pytest.raises(asyncio.CancelledError):
        await first


def test_the_answer_longest_not_asked_for_is_given_up_and_a_copy_remembers_none() -> None:
    once = Once[int](most=2, keep=positive)
    for key, value in (("a", 1), ("b", 2), ("a", 0), ("c", 3)):
        once.get(key, lambda value=value: value)  # type: ignore[misc]
    assert once.get("a", lambda: 9) == (1, False)
    assert once.get("b", lambda: 9) == (9, True)
    copied = pickle.loads(pickle.dumps(once))
    assert copied.get("a", lambda: 5) == (5, True)


def test_threads_and_loops_may_share_it() -> None:
    once = Once[int](most=3)

    def work(seed: int) -> bool:
        plain = all(once.get(str(n % 7), lambda n=n: n % 7).value == n % 7 for n in range(seed, seed + 2000))  # type: ignore[misc]
        waited = asyncio.run(once.aget("x", Asked(7))).value == 7
        return plain and waited

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
