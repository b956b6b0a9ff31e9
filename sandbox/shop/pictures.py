"""Draws the shop's goods: flat, friendly shapes in the colour of the product."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Callable, Sequence

from PIL import Image, ImageColor, ImageDraw

#: Pixels of the finished square; drawn at twice the size and reduced, which smooths the edges.
SIZE = 480
_OVERSAMPLING = 2
_INK = "#2f3437"
_METAL = "#b9c2c7"
_WOOD = "#a9784d"
_PAPER = "#fbf7ee"

Point = tuple[float, float]


class Pen:
    """Draws on a square of 100 × 100 units, whatever its pixels."""

    def __init__(self, colour: str) -> None:
        self._scale = SIZE * _OVERSAMPLING / 100
        self.colour = colour
        self.dark = _toned(colour, 0.72)
        self.light = _toned(colour, 1.22)
        pixels = SIZE * _OVERSAMPLING
        self.image = Image.new("RGB", (pixels, pixels), _tinted(colour, 0.86))
        self._draw = ImageDraw.Draw(self.image)
        self.disc(50, 48, 40, _tinted(colour, 0.72))
        self.oval(22, 84, 78, 91, _tinted(colour, 0.5))

    def oval(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        """Fill an ellipse."""
        self._draw.ellipse(self._flat(left, top, right, bottom), fill=fill)

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        """Fill a circle."""
        self.oval(x - radius, y - radius, x + radius, y + radius, fill)

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: str, radius: float = 3
    ) -> None:
        """Fill a rectangle with round corners."""
        self._draw.rounded_rectangle(
            self._flat(left, top, right, bottom), radius=radius * self._scale, fill=fill
        )

    def shape(self, points: Sequence[Point], fill: str) -> None:
        """Fill a polygon."""
        self._draw.polygon([(x * self._scale, y * self._scale) for x, y in points], fill=fill)

    def line(self, points: Sequence[Point], fill: str, width: float = 2) -> None:
        """Draw a line with round joints."""
        flat = [(x * self._scale, y * self._scale) for x, y in points]
        self._draw.line(flat, fill=fill, width=round(width * self._scale), joint="curve")
        for x, y in (points[0], points[-1]):
            self.disc(x, y, width / 2, fill)

    def arc(
        self, box: tuple[float, float, float, float], start: int, end: int, fill: str, width: float
    ) -> None:
        """Draw part of an ellipse's edge; degrees, clockwise from three o'clock."""
        self._draw.arc(self._flat(*box), start, end, fill=fill, width=round(width * self._scale))

    def _flat(self, left: float, top: float, right: float, bottom: float) -> list[float]:
        return [value * self._scale for value in (left, top, right, bottom)]


def picture(kind: str, colour: str) -> bytes:
    """Return a JPEG of a kind of goods in a colour; raises KeyError for an unknown kind."""
    pen = Pen(colour)
    KINDS[kind](pen)
    finished = pen.image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    finished.save(buffer, "JPEG", quality=88, optimize=True)
    return buffer.getvalue()


def _hex(red: float, green: float, blue: float) -> str:
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def _toned(colour: str, factor: float) -> str:
    red, green, blue = (value / 255 for value in ImageColor.getrgb(colour)[:3])
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    return _hex(*colorsys.hls_to_rgb(hue, min(1, lightness * factor), saturation))


def _tinted(colour: str, white: float) -> str:
    mixed = [value / 255 * (1 - white) + white for value in ImageColor.getrgb(colour)[:3]]
    return _hex(mixed[0], mixed[1], mixed[2])


def _mug(pen: Pen) -> None:
    pen.arc((58, 40, 84, 70), 265, 95, pen.dark, 5)
    pen.box(26, 30, 68, 86, pen.colour, 6)
    pen.box(26, 30, 36, 86, pen.light, 6)
    pen.oval(26, 25, 68, 36, pen.dark)
    pen.oval(29, 27, 65, 34, "#5b3a29")
    for x in (40, 50):
        pen.line([(x, 22), (x + 3, 16), (x - 1, 10)], _PAPER, 1.6)


def _kettle(pen: Pen) -> None:
    pen.arc((28, 14, 72, 58), 190, 350, _INK, 4)
    pen.shape([(64, 52), (84, 40), (88, 46), (68, 70)], pen.dark)
    pen.shape([(34, 40), (66, 40), (76, 86), (24, 86)], pen.colour)
    pen.shape([(34, 40), (42, 40), (36, 86), (24, 86)], pen.light)
    pen.oval(33, 35, 67, 45, pen.dark)
    pen.disc(50, 35, 3.5, _INK)


def _tent(pen: Pen) -> None:
    pen.shape([(50, 20), (90, 86), (10, 86)], pen.colour)
    pen.shape([(50, 20), (10, 86), (28, 86)], pen.light)
    pen.shape([(50, 38), (66, 86), (34, 86)], pen.dark)
    pen.shape([(50, 38), (50, 86), (40, 86)], _INK)
    pen.line([(50, 20), (50, 14)], _WOOD, 2)
    pen.shape([(50, 12), (60, 15), (50, 18)], "#d9534f")


def _boot(pen: Pen) -> None:
    pen.shape([(34, 20), (60, 20), (60, 54), (84, 66), (86, 80), (32, 80)], pen.colour)
    pen.shape([(34, 20), (43, 20), (42, 80), (32, 80)], pen.light)
    pen.box(30, 78, 88, 87, _INK, 3)
    pen.box(32, 16, 62, 24, pen.dark, 4)
    for step in range(4):
        pen.line([(50, 30 + step * 8), (62 + step * 2, 28 + step * 8)], _PAPER, 1.8)


def _backpack(pen: Pen) -> None:
    pen.arc((38, 10, 62, 34), 180, 360, pen.dark, 4)
    pen.box(24, 24, 76, 87, pen.colour, 14)
    pen.box(24, 24, 38, 87, pen.light, 12)
    pen.box(32, 54, 68, 80, pen.dark, 5)
    pen.box(30, 22, 70, 44, pen.dark, 10)
    for x in (40, 58):
        pen.box(x, 38, x + 3, 52, _PAPER, 1)


def _lantern(pen: Pen) -> None:
    pen.arc((30, 8, 70, 52), 180, 360, _INK, 2.5)
    pen.box(36, 22, 64, 32, pen.dark, 4)
    pen.box(32, 32, 68, 72, "#fff3c4", 4)
    pen.shape([(50, 40), (57, 58), (50, 66), (43, 58)], "#f5a623")
    for x in (34, 50, 66):
        pen.line([(x, 32), (x, 72)], pen.colour, 2)
    pen.box(28, 72, 72, 87, pen.colour, 5)


def _sleeping_bag(pen: Pen) -> None:
    pen.box(28, 16, 72, 88, pen.colour, 20)
    pen.box(28, 16, 40, 88, pen.light, 12)
    pen.box(36, 20, 64, 42, _PAPER, 12)
    for y in (52, 62, 72):
        pen.line([(32, y), (68, y)], pen.dark, 1.4)
    pen.line([(62, 44), (62, 84)], _METAL, 1.6)


def _mat(pen: Pen) -> None:
    pen.box(14, 52, 74, 82, pen.colour, 4)
    pen.oval(60, 46, 92, 88, pen.dark)
    pen.oval(65, 52, 87, 82, pen.light)
    pen.oval(70, 58, 82, 76, pen.dark)
    pen.oval(74, 63, 79, 71, pen.light)
    for x in (26, 48):
        pen.box(x, 50, x + 4, 84, _INK, 1)


def _stove(pen: Pen) -> None:
    for x in (38, 50, 62):
        pen.shape([(x, 22), (x + 5, 34), (x, 40), (x - 5, 34)], "#4aa3df")
    pen.box(28, 38, 72, 44, _INK, 2)
    pen.box(44, 44, 56, 56, _METAL, 2)
    pen.box(30, 54, 70, 87, pen.colour, 8)
    pen.box(30, 54, 40, 87, pen.light, 8)
    pen.box(42, 66, 60, 76, _PAPER, 2)


def _knife(pen: Pen) -> None:
    pen.shape([(50, 52), (86, 20), (88, 32), (58, 60)], _METAL)
    pen.shape([(50, 52), (86, 20), (87, 24), (53, 55)], _PAPER)
    pen.shape([(14, 78), (48, 46), (60, 58), (26, 88)], pen.colour)
    pen.shape([(14, 78), (48, 46), (51, 49), (18, 81)], pen.light)
    for x, y in ((28, 76), (42, 62)):
        pen.disc(x, y, 2, _METAL)


def _compass(pen: Pen) -> None:
    pen.box(45, 10, 55, 22, _METAL, 3)
    pen.disc(50, 52, 35, pen.dark)
    pen.disc(50, 52, 31, pen.colour)
    pen.disc(50, 52, 26, _PAPER)
    pen.shape([(50, 30), (55, 52), (45, 52)], "#d9534f")
    pen.shape([(50, 74), (55, 52), (45, 52)], _INK)
    pen.disc(50, 52, 3, _METAL)


def _bottle(pen: Pen) -> None:
    pen.box(42, 10, 58, 24, _INK, 3)
    pen.box(40, 20, 60, 34, pen.dark, 4)
    pen.box(32, 28, 68, 88, pen.colour, 9)
    pen.box(32, 28, 42, 88, pen.light, 8)
    pen.box(38, 52, 68, 70, _PAPER, 1)
    pen.shape([(46, 67), (53, 55), (60, 67)], pen.dark)


def _jacket(pen: Pen) -> None:
    pen.shape([(34, 22), (14, 34), (10, 72), (22, 74), (30, 48)], pen.dark)
    pen.shape([(66, 22), (86, 34), (90, 72), (78, 74), (70, 48)], pen.dark)
    pen.shape([(34, 20), (66, 20), (74, 87), (26, 87)], pen.colour)
    pen.shape([(34, 20), (42, 20), (36, 87), (26, 87)], pen.light)
    pen.shape([(38, 14), (62, 14), (66, 26), (50, 34), (34, 26)], pen.dark)
    pen.line([(50, 32), (50, 86)], _PAPER, 1.6)
    for x in (34, 56):
        pen.box(x, 62, x + 10, 65, pen.dark, 1)


def _beanie(pen: Pen) -> None:
    pen.disc(50, 20, 8, _PAPER)
    pen.shape([(22, 66), (26, 44), (38, 28), (62, 28), (74, 44), (78, 66)], pen.colour)
    pen.shape([(22, 66), (26, 44), (38, 28), (42, 28), (34, 66)], pen.light)
    pen.box(18, 62, 82, 82, pen.dark, 6)
    for x in range(26, 80, 8):
        pen.line([(x, 66), (x, 78)], pen.colour, 1.6)


def _gloves(pen: Pen) -> None:
    for shift in (0, 36):
        pen.box(18 + shift, 34, 44 + shift, 74, pen.colour, 10)
        pen.box(18 + shift, 34, 25 + shift, 74, pen.light, 7)
        pen.shape(
            [(42 + shift, 52), (52 + shift, 42), (55 + shift, 48), (43 + shift, 66)], pen.dark
        )
        pen.box(20 + shift, 72, 42 + shift, 87, pen.dark, 3)


def _socks(pen: Pen) -> None:
    for shift in (0, 22):
        pen.shape(
            [
                (28 + shift, 16), (46 + shift, 16), (46 + shift, 58),
                (62 + shift, 72), (56 + shift, 86), (40 + shift, 82), (28 + shift, 66),
            ],
            pen.colour if shift else pen.dark,
        )  # fmt: skip
        pen.box(26 + shift, 14, 48 + shift, 24, pen.light, 3)
        pen.line([(29 + shift, 34), (45 + shift, 34)], _PAPER, 2)


def _hammock(pen: Pen) -> None:
    for x in (14, 86):
        pen.box(x - 3, 14, x + 3, 88, _WOOD, 2)
    pen.shape([(16, 36), (34, 62), (50, 68), (66, 62), (84, 36), (70, 74), (50, 82), (30, 74)],
              pen.colour)  # fmt: skip
    pen.line([(16, 36), (34, 62), (50, 68), (66, 62), (84, 36)], pen.dark, 2)


def _axe(pen: Pen) -> None:
    pen.line([(30, 86), (62, 24)], _WOOD, 6)
    pen.shape([(48, 14), (74, 26), (88, 22), (82, 50), (72, 42), (46, 32)], pen.colour)
    pen.shape([(88, 22), (82, 50), (78, 46), (82, 26)], _METAL)


def _map(pen: Pen) -> None:
    pen.shape([(14, 30), (38, 22), (38, 78), (14, 86)], _PAPER)
    pen.shape([(38, 22), (62, 30), (62, 86), (38, 78)], "#eadfca")
    pen.shape([(62, 30), (86, 22), (86, 78), (62, 86)], _PAPER)
    pen.line([(20, 70), (32, 54), (48, 60), (60, 44), (78, 40)], pen.colour, 2.4)
    pen.disc(78, 38, 4, "#d9534f")
    pen.shape([(22, 50), (28, 38), (34, 48)], pen.dark)


def _rope(pen: Pen) -> None:
    for radius, fill in ((32, pen.colour), (26, pen.dark), (20, pen.colour), (14, pen.dark)):
        pen.disc(50, 52, radius, fill)
        pen.disc(50, 52, radius - 4, pen.light)
    pen.disc(50, 52, 8, _PAPER)
    pen.box(44, 16, 56, 34, pen.dark, 3)


def _cutlery(pen: Pen) -> None:
    pen.line([(32, 46), (32, 86)], pen.colour, 5)
    pen.oval(23, 14, 41, 50, pen.colour)
    pen.oval(27, 18, 37, 40, pen.light)
    pen.line([(66, 46), (66, 86)], pen.dark, 5)
    for x in (58, 66, 74):
        pen.line([(x, 16), (x, 40)], pen.dark, 3)
    pen.box(56, 34, 76, 48, pen.dark, 6)


def _pan(pen: Pen) -> None:
    pen.box(66, 46, 96, 54, _WOOD, 3)
    pen.disc(42, 52, 32, pen.dark)
    pen.disc(42, 52, 28, pen.colour)
    pen.oval(28, 42, 56, 62, _PAPER)
    pen.disc(42, 52, 6, "#f5a623")


def _head_lamp(pen: Pen) -> None:
    pen.arc((14, 28, 86, 80), 150, 30, pen.colour, 7)
    pen.shape([(50, 60), (20, 96), (80, 96)], "#fff3c4")
    pen.box(36, 40, 64, 68, _INK, 6)
    pen.disc(50, 54, 10, "#fff3c4")
    pen.disc(50, 54, 6, "#f5d76e")


def _towel(pen: Pen) -> None:
    pen.line([(14, 24), (86, 24)], _WOOD, 4)
    pen.box(26, 22, 74, 86, pen.colour, 3)
    pen.box(26, 22, 36, 86, pen.light, 3)
    for y in (66, 72, 78):
        pen.box(26, y, 74, y + 2, _PAPER, 0)


def _chair(pen: Pen) -> None:
    for points in (((26, 20), (66, 88)), ((74, 20), (34, 88))):
        pen.line(points, _WOOD, 4)
    pen.shape([(24, 16), (76, 16), (72, 46), (28, 46)], pen.colour)
    pen.shape([(28, 54), (72, 54), (78, 66), (22, 66)], pen.dark)
    pen.shape([(24, 16), (34, 16), (36, 46), (28, 46)], pen.light)


def _whistle(pen: Pen) -> None:
    pen.arc((40, 6, 70, 40), 90, 360, _INK, 2)
    pen.box(30, 36, 90, 54, pen.colour, 3)
    pen.disc(36, 60, 24, pen.colour)
    pen.disc(36, 60, 16, pen.light)
    pen.disc(36, 60, 8, pen.dark)
    pen.box(58, 36, 66, 46, _INK, 1)


KINDS: dict[str, Callable[[Pen], None]] = {
    "mug": _mug,
    "kettle": _kettle,
    "tent": _tent,
    "boot": _boot,
    "backpack": _backpack,
    "lantern": _lantern,
    "sleeping_bag": _sleeping_bag,
    "mat": _mat,
    "stove": _stove,
    "knife": _knife,
    "compass": _compass,
    "bottle": _bottle,
    "jacket": _jacket,
    "beanie": _beanie,
    "gloves": _gloves,
    "socks": _socks,
    "hammock": _hammock,
    "axe": _axe,
    "map": _map,
    "rope": _rope,
    "cutlery": _cutlery,
    "pan": _pan,
    "head_lamp": _head_lamp,
    "towel": _towel,
    "chair": _chair,
    "whistle": _whistle,
}
