"""What the tests from end to end share."""

from tests.app.command_line import merit

__all__ = ["merit"]
