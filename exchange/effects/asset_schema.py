"""What goes over the wire about one asset: its positions, by slot."""

from pydantic import BaseModel, Field


class PositionOut(BaseModel):
    """What an asset is to draw and to feed in within one slot, over all products, as traded for one account."""

    slot: int = Field(description="the first second of the slot, unix time")
    account: int
    bought_wh: int
    sold_wh: int
    own_taken_wh: int = Field(description="own energy, taken of other assets of the same home")
    own_given_wh: int = Field(description="own energy, given to other assets of the same home")


class PositionsOut(BaseModel):
    """The positions of an asset, by slot, then account; a slot in which nothing was matched is left out."""

    asset: str
    slot_seconds: int = Field(description="the shortest delivery period")
    kept_from: int = Field(description="positions of earlier slots are no longer held: see the statement")
    positions: list[PositionOut]
    bought_wh: int
    sold_wh: int
    own_taken_wh: int
    own_given_wh: int
