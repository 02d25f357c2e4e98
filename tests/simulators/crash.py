"""A process that dies at a chosen touch of the world: just before it, or just after."""

from typing import Any


class Crash(BaseException):
    """The process is gone: nothing above may catch this."""


class CrashPlan:
    """Counts touches of the world, and dies at number `at` (from 0)."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at = at
        self.after = after
        self.touches = 0
        self.crashed = False


class Crashing:
    """Answers as `inner` does; each call of one of `methods` is a touch."""

    def __init__(self, inner: Any, methods: set[str], plan: CrashPlan) -> None:
        self._inner = inner
        self._methods = methods
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return self._touch(method) if name in self._methods else method

    def _touch(self, method: Any) -> Any:
        def touching(*arguments: Any, **named: Any) -> Any:
            plan = self._plan
            now, plan.touches = plan.touches == plan.at, plan.touches + 1
            if now and not plan.after:
                plan.crashed = True
                raise Crash
            try:
                return method(*arguments, **named)
            finally:
                if now:  # a refusal is an answer too, and is lost like any other
                    plan.crashed = True
                    raise Crash

        return touching
