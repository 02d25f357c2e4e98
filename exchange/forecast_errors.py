"""What is refused of forecasts, and of orders because of them; they hang on the tree of `errors.py`."""

from exchange.errors import ExchangeRefused, OrderRejected


class NoForecast(OrderRejected):
    """The asset may order what was forecast of it, and for a slot of the delivery nothing was."""

    code = "no-forecast"

    def __init__(self, asset: str, slot: int) -> None:
        super().__init__(f"there is no forecast of {asset} for the slot that begins at {slot}")
        self.asset = asset
        self.slot = slot


class BeyondForecast(OrderRejected):
    """With this order the asset would have more on order and matched in a slot than was forecast of it."""

    code = "beyond-forecast"

    def __init__(self, *, slot: int, forecast: int, used: int, energy: int) -> None:
        super().__init__(
            f"in the slot that begins at {slot} the order would have {energy} Wh beside {used} Wh that are on order or "
            f"matched, and {forecast} Wh are forecast"
        )
        self.slot = slot
        self.forecast = forecast
        self.used = used
        self.energy = energy


class ForecastsNotTaken(ExchangeRefused):
    """This community holds nobody to forecasts, and takes none."""

    code = "forecasts-not-taken"

    def __init__(self) -> None:
        super().__init__("this community holds nobody to forecasts, and takes none")


class ForecastOutOfBounds(ExchangeRefused):
    """The forecast is for other times than those that are traded, or for too many of them at once."""

    code = "forecast-out-of-bounds"


class ForecastOvertaken(ExchangeRefused):
    """A forecast with the same or a higher serial is held for one of the slots."""

    code = "forecast-overtaken"

    def __init__(self, serial: int, held: int, slot: int) -> None:
        super().__init__(f"the forecast has the serial {serial}; for the slot that begins at {slot}, {held} is held")
        self.serial = serial
        self.held = held
        self.slot = slot
