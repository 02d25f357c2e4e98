"""What the tests of the roof share."""

from tests.app.command_line import merit

__all__ = ["merit"]
