"""What every Python client script shares: one line per check, and waiting with a deadline."""

import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

# A machine with two busy cores answers within this; a lost message never does.
DEADLINE_SECONDS = 20.0

T = TypeVar("T")
Check = Callable[[], Awaitable[None]]


class Inbox(Generic[T]):
    """A list that can be waited on."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._changed = anyio.Event()

    @property
    def items(self) -> list[T]:
        """What came so far."""
        return list(self._items)

    def push(self, item: T) -> None:
        self._items.append(item)
        self._changed.set()
        self._changed = anyio.Event()

    async def find(self, wanted: Callable[[T], bool]) -> T:
        """The first item that is wanted, whether it is here or still to come."""
        with anyio.fail_after(DEADLINE_SECONDS):
            while True:
                for item in self._items:
                    if wanted(item):
                        return item
                await self._changed.wait()


async def run(prefix: str, checks: list[Check]) -> int:
    """Runs the checks in order, prints one line each, and says how many failed."""
    failed = 0
    for check in checks:
        name = (check.__doc__ or check.__name__).strip()
        try:
            with anyio.fail_after(DEADLINE_SECONDS):
                await check()
            print(f"ok {prefix}: {name}")
        except Exception:
            failed += 1
            print(f"not ok {prefix}: {name}")
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    return failed
