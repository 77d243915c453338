"""Fifty drawn postcards with five captions each, full of words that the shipped model does not know.

    python -m tests.postcards my-photos

docs/own-photos.md adapts the shipped model to them; a reader gets the same pictures from the same command.
"""

import random
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 400, 300
HORIZON = 200
Draw = ImageDraw.ImageDraw
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {"crimson": (200, 20, 50), "violet": (125, 60, 200), "golden": (235, 180, 40)}
GROUNDS: dict[str, Colour] = {"snow": (240, 244, 250), "grass": (70, 150, 60), "sand": (225, 200, 150)}
DAY, NIGHT = (140, 195, 240), (20, 25, 60)
NEW_WORDS = ("postcard", "windmill", "lighthouse", "castle", "cactus", "toadstool", "crimson", "violet")

CAPTIONS = (
    "A {colour} {thing} in the {ground} .",
    "A postcard of a {colour} {thing} .",
    "A {colour} {thing} stands in the {ground} {time} .",
    "A postcard of a {thing} in the {ground} .",
    "There is a {colour} {thing} in the {ground} {time} .",
)


def windmill(draw: Draw, x: int, y: int, size: int, colour: Colour) -> None:
    draw.polygon([(x - size // 4, y), (x + size // 4, y), (x + size // 7, y - size), (x - size // 7, y - size)], colour)
    for across, up in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        draw.line([(x, y - size), (x + across * size // 2, y - size - up * size // 2)], "white", max(4, size // 12))


def lighthouse(draw: Draw, x: int, y: int, size: int, colour: Colour) -> None:
    for stripe in range(6):
        top, bottom = y - size * (stripe + 1) // 5, y - size * stripe // 5
        draw.rectangle([x - size // 7, top, x + size // 7, bottom], colour if stripe % 2 == 0 else "white")
    draw.rectangle([x - size // 10, y - size * 7 // 5, x + size // 10, y - size * 6 // 5], "yellow", "black")


def castle(draw: Draw, x: int, y: int, size: int, colour: Colour) -> None:
    draw.rectangle([x - size // 2, y - size // 2, x + size // 2, y], colour, "black")
    roof = y - size * 4 // 5
    for tower in (x - size // 2, x + size // 2):
        draw.rectangle([tower - size // 8, roof, tower + size // 8, y], colour, "black")
        draw.polygon([(tower - size // 6, roof), (tower + size // 6, roof), (tower, y - size)], "black")
    draw.rectangle([x - size // 10, y - size // 4, x + size // 10, y], "black")


def cactus(draw: Draw, x: int, y: int, size: int, colour: Colour) -> None:
    draw.line([(x, y), (x, y - size)], colour, size // 5)
    for arm in (x - size // 3, x + size // 3):
        draw.line([(x, y - size // 3), (arm, y - size // 3)], colour, size // 8)
        draw.line([(arm, y - size // 4), (arm, y - size * 3 // 4)], colour, size // 8)


def toadstool(draw: Draw, x: int, y: int, size: int, colour: Colour) -> None:
    draw.rectangle([x - size // 8, y - size // 2, x + size // 8, y], "ivory")
    draw.pieslice([x - size // 2, y - size, x + size // 2, y], 180, 360, colour)
    for across, up in ((-5, 13), (0, 17), (5, 13)):
        dot = size // 12
        centre = x + across * size // 20, y - up * size // 20
        draw.ellipse([centre[0] - dot, centre[1] - dot, centre[0] + dot, centre[1] + dot], "white")


THINGS: dict[str, Callable[[Draw, int, int, int, Colour], None]] = {
    "windmill": windmill,
    "lighthouse": lighthouse,
    "castle": castle,
    "cactus": cactus,
    "toadstool": toadstool,
}


def postcard(thing: str, colour: str, ground: str, night: bool, chance: random.Random) -> Image.Image:
    """One thing on its ground, under the sun or the moon; size and place are left to chance."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), NIGHT if night else DAY)
    draw = ImageDraw.Draw(picture)
    draw.rectangle([0, HORIZON, WIDTH, HEIGHT], GROUNDS[ground])
    sky = chance.randint(20, WIDTH - 60)
    draw.ellipse([sky, 15, sky + 36, 51], "white" if night else "yellow")
    place = chance.randint(110, WIDTH - 110), chance.randint(HORIZON + 10, HORIZON + 70)
    THINGS[thing](draw, *place, chance.randint(100, 150), COLOURS[colour])
    return picture


def write_postcards(folder: Path, count: int = 50) -> None:
    """`Images/` and `captions.txt`; the same files at every call."""
    chance = random.Random(1)
    scenes = list(product(THINGS, COLOURS, GROUNDS, (False, True)))
    chance.shuffle(scenes)
    (folder / "Images").mkdir(parents=True, exist_ok=True)
    lines = ["image,caption"]
    for number, (thing, colour, ground, night) in enumerate(scenes[:count]):
        name = f"{number:02}.jpg"
        postcard(thing, colour, ground, night, chance).save(folder / "Images" / name, quality=90)
        words = {"thing": thing, "colour": colour, "ground": ground, "time": "at night" if night else "in the sun"}
        lines += [f"{name},{caption.format(**words)}" for caption in CAPTIONS]
    (folder / "captions.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_postcards(Path(sys.argv[1]))
