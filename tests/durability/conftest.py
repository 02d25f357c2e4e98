"""The command line, as the tests of the app run it."""

from tests.app.command_line import merit

__all__ = ["merit"]
