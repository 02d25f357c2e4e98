"""The demo street that comes with the product: its file lies in the package, or in the source tree beside it."""

from importlib.resources import files
from pathlib import Path


def street_file() -> Path:
    """Return the path of the demo street's community file."""
    package = Path(str(files("app")))
    installed = package / "street" / "street.toml"
    return installed if installed.exists() else package.parent / "examples" / "street.toml"
