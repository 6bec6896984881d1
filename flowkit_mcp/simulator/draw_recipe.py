"""A recipe says everything a picture shows; it travels inside the JPEG as its comment.

That is how the same character keeps shape and colour: a scene reads the recipe of the reference
picture itself, whatever label came with it. A picture without a recipe (a person's own photo) gets
its identity from the label, and its colour from the photo.
"""

from __future__ import annotations

import io
import random
from dataclasses import field, replace
from typing import Literal

from PIL import Image, ImageOps
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from flowkit_mcp.simulator import draw_words as vocabulary
from flowkit_mcp.simulator.draw_shapes import lighter
from flowkit_mcp.simulator.draw_specs import PictureSpec, Reference
from flowkit_mcp.simulator.draw_text import clean
from flowkit_mcp.simulator.draw_words import Rgb

Kind = Literal["character", "location", "object", "scene"]
# A storybook's dyes, in the order of the colour circle: neighbours look alike, the fifth does not.
_CLOTH: tuple[Rgb, ...] = (
    (206, 70, 72), (224, 106, 72), (236, 142, 66), (240, 188, 84), (196, 182, 78), (134, 166, 82),
    (78, 146, 104), (62, 150, 146), (74, 160, 194), (74, 122, 198), (92, 96, 184), (136, 98, 182),
    (182, 98, 164), (222, 120, 150),
)  # fmt: skip
_FUR: dict[str, tuple[Rgb, ...]] = {
    "fox": ((226, 122, 58), (204, 98, 56), (236, 150, 84)),
    "cat": ((236, 158, 84), (132, 136, 150), (84, 82, 98), (240, 218, 186)),
    "dog": ((186, 130, 82), (226, 190, 136), (122, 92, 78)),
    "rabbit": ((238, 224, 206), (176, 168, 176), (204, 166, 132)),
    "bear": ((150, 104, 72), (112, 84, 74), (206, 164, 116)),
    "bird": ((84, 96, 124), (168, 124, 88), (88, 152, 172)),
    "dragon": ((98, 168, 118), (122, 112, 190), (206, 96, 86)),
}  # fmt: skip
_MARK = b"flowkit-simulator "


@dataclass(frozen=True)
class Figure:
    """How one character looks, always. `key` seeds what is left open."""

    name: str
    key: str
    species: str
    body: Rgb
    accent: Rgb
    hair: Rgb
    skin: Rgb
    style: int
    headgear: str
    extra: str
    size: float
    thing: bool = False


@dataclass(frozen=True)
class Place:
    """A backdrop; `key` seeds its hills, houses and trees."""

    name: str
    key: str
    motif: str
    landmarks: tuple[str, ...]
    hue: float


@dataclass(frozen=True)
class Recipe:
    """Everything a picture shows, apart from its size."""

    kind: Kind
    seed: int
    time: str
    weather: str
    place: Place
    figures: tuple[Figure, ...]
    pose: str
    caption: str
    edits: tuple[str, ...] = ()
    tint: Rgb | None = None
    # False for an edited photo: the picture was not drawn from this recipe alone.
    drawn: bool = True
    version: int = Field(default=1, ge=1, le=1)
    cast: tuple[str, ...] = field(default=())


_RECIPE = TypeAdapter(Recipe)


def read_recipe(image: bytes) -> Recipe | None:
    """The recipe inside a picture, or None: it was not drawn here, or it is damaged."""
    try:
        with Image.open(io.BytesIO(image)) as opened:
            comment = opened.info.get("comment", b"")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if not isinstance(comment, bytes) or not comment.startswith(_MARK):
        return None
    try:
        return _RECIPE.validate_json(comment.removeprefix(_MARK))
    except ValidationError:
        return None


def comment_of(recipe: Recipe) -> bytes:
    """What `read_recipe` reads; goes into a JPEG as its comment."""
    return _MARK + _RECIPE.dump_json(recipe)


def recipe_for(spec: PictureSpec) -> Recipe:
    """Decide what a picture shows from its words, its references and the picture it edits."""
    base = read_recipe(spec.base) if spec.base is not None else None
    if spec.base is not None:
        return _edited(spec, base)
    spec = replace(spec, prompt=vocabulary.own_words(spec.prompt))
    kind = vocabulary.kind_of(spec.title, spec.prompt) if not spec.references else "scene"
    text = spec.prompt or spec.title
    place, figures, time = _from_references(spec.references)
    if kind in ("character", "object"):
        figures = (figure_of(spec.title, spec.prompt, thing=kind == "object"),)
    elif kind == "scene" and not spec.references:
        figures = _extras(spec.prompt)
    if place is None:
        name = vocabulary.name_of(spec.title, spec.prompt) if kind == "location" else ""
        place = _place(name, text if kind == "location" else spec.prompt)
    else:
        more = vocabulary.find(spec.prompt, vocabulary.LANDMARKS)
        place = replace(place, landmarks=tuple(dict.fromkeys((*place.landmarks, *more)))[:3])
    said = vocabulary.find(spec.prompt, vocabulary.TIMES)
    weather = vocabulary.find(spec.prompt, vocabulary.WEATHERS)
    return Recipe(
        kind=kind,  # pyright: ignore[reportArgumentType]  # kind_of answers with these words only
        seed=spec.seed,
        time=said[0] if said else time or "day",
        weather=weather[0] if weather else "clear",
        place=place,
        figures=figures[:6],
        pose=vocabulary.pose_of(spec.prompt) if kind == "scene" else "rest",
        caption=clean(spec.prompt[:700])[:400],
        cast=tuple(figure.name for figure in figures) + ((place.name,) if place.name else ()),
    )


def figure_of(title: str, prompt: str, *, thing: bool = False) -> Figure:
    """The one look of a character: words decide where they speak, the name's hash elsewhere."""
    name = clean(vocabulary.name_of(title, prompt)) or "Somebody"
    key = name.casefold()
    dice = random.Random(f"figure {key}")
    text = f"{title} {prompt}"
    first = dice.randrange(len(_CLOTH))
    body, accent = _CLOTH[first], _CLOTH[(first + dice.randrange(4, 10)) % len(_CLOTH)]
    hair = dice.choice(
        ((52, 40, 38), (92, 60, 42), (150, 92, 50), (222, 178, 96), (170, 70, 40), (60, 62, 82))
    )
    skin = dice.choice(((255, 219, 186), (243, 196, 156), (214, 158, 116), (158, 106, 74)))
    style = dice.randrange(60)
    hat = dice.choice(("none", "none", "beanie", "brim", "cap", "bow", "none"))
    extra = dice.choice(("scarf", "backpack", "glasses", "satchel", "lantern", "cape"))
    species = (vocabulary.find(text, vocabulary.SPECIES) or ["human"])[0]
    kinds = " ".join(name for key, name in vocabulary.SPECIES.items() if key != "human")
    dyed = vocabulary.colour_of(text, vocabulary.CLOTHES)
    fur = vocabulary.colour_of(text, kinds) or (None if dyed else _first_colour(text))
    body = dyed or (fur if thing else None) or body
    styles = vocabulary.hair_styles(text) if not thing else (0, 1, 2)
    style = styles[style % len(styles)]
    if species != "human":
        hat = hat if hat == "bow" else "none"
        accent = dyed or body
        body = fur or dice.choice(_FUR.get(species, _CLOTH))
        hair, style = lighter(body, 0.6), style % 2
    hair = vocabulary.colour_of(text, "hair braid braids curls ponytail beard") or hair
    if vocabulary.is_old(text):
        hair = (214, 216, 222)
    if worn := vocabulary.headgear(text):
        hat, accent = worn[0], worn[1] or accent
        extra = extra if extra != "scarf" else "satchel"
    if carried := vocabulary.extra(text):
        extra = carried[0]
        accent = (carried[1] if extra != "beard" else None) or accent
    return Figure(
        name=name, key=key, species=species, body=body, accent=accent, hair=hair, skin=skin,
        style=style, headgear=hat, extra=extra,
        size=0.78 if vocabulary.is_small(text) else dice.uniform(0.92, 1.05), thing=thing,
    )  # fmt: skip


def _from_references(
    references: tuple[Reference, ...],
) -> tuple[Place | None, tuple[Figure, ...], str | None]:
    """Backdrop, cast and time of day that the reference pictures bring."""
    place: Place | None = None
    time: str | None = None
    figures: dict[str, Figure] = {}
    for reference in references:
        known = read_recipe(reference.image)
        if known is None:
            if vocabulary.kind_of("", reference.label) == "location":
                place = place or _place(vocabulary.name_of(reference.label, ""), reference.label)
                continue
            stranger = figure_of(reference.label, "")
            colour = _main_colour(reference.image)
            figures.setdefault(stranger.key, replace(stranger, body=colour or stranger.body))
            continue
        for figure in known.figures:
            figures.setdefault(figure.key, figure)
        if known.kind in ("location", "scene") and place is None:
            place, time = known.place, known.time
    return place, tuple(figures.values()), time


def _extras(prompt: str) -> tuple[Figure, ...]:
    """Nameless figures for a prompt that speaks of somebody but has no references."""
    found = vocabulary.find(prompt, vocabulary.SPECIES)[:2]
    said = " ".join(vocabulary.words(prompt)[:40])
    return tuple(
        replace(figure_of(f"{kind} {said}"[:32], f"{kind} {prompt}"), name="", species=kind)
        for kind in found
    )


def _place(name: str, text: str) -> Place:
    key = (name or " ".join(vocabulary.words(text)[:60])).casefold()
    motifs = vocabulary.find(text, vocabulary.PLACES)
    dice = random.Random(f"place {key}")
    marks = vocabulary.find(text, vocabulary.LANDMARKS)[:3]
    motif = motifs[0] if motifs else "meadow"
    usual = {
        "meadow": ("house", "tree", "windmill"), "sea": ("boat",), "mountains": ("tree", "house"),
        "village": ("house", "windmill"), "space": ("rocket",), "snow": ("tent",),
    }.get(motif)  # fmt: skip
    if not marks and usual:
        marks = [dice.choice(usual)]
    return Place(clean(name), key, motif, tuple(marks), dice.uniform(-0.03, 0.03))


def _edited(spec: PictureSpec, base: Recipe | None) -> Recipe:
    """The base's recipe with the change on top; a photo gets a recipe that is only the change."""
    if base is not None and vocabulary.goes_on(spec.prompt):
        return _next(spec, base)
    spec = replace(spec, prompt=vocabulary.own_words(spec.prompt))
    change = clean(spec.prompt[:700])
    if base is None:
        place = _place("", spec.prompt)
        base = Recipe("scene", spec.seed, "day", "clear", place, (), "rest", "", drawn=False)
    _, figures, _ = _from_references(spec.references)
    known = {figure.key for figure in base.figures}
    added = tuple(figure for figure in figures if figure.key not in known)
    time = vocabulary.find(spec.prompt, vocabulary.TIMES)
    weather = vocabulary.find(spec.prompt, vocabulary.WEATHERS)
    marks = vocabulary.find(spec.prompt, vocabulary.LANDMARKS)
    cast = (*base.figures, *added)[:6]
    # A colour dyes the whole picture only where nothing else shows the change.
    shown = time or weather or marks or added
    tint = _first_colour(spec.prompt) or (255, 190, 110)
    edits = (*base.edits, change[:200])[-3:]
    return replace(
        base,
        time=time[0] if time else base.time,
        weather=weather[0] if weather else base.weather,
        place=replace(
            base.place, landmarks=tuple(dict.fromkeys((*base.place.landmarks, *marks)))[:4]
        ),
        figures=cast,
        cast=tuple(dict.fromkeys((*base.cast, *(figure.name for figure in added)))),
        edits=edits,
        tint=base.tint if shown else tint,
        caption=f"edited: {change[:300]}",
    )


def _next(spec: PictureSpec, base: Recipe) -> Recipe:
    """The next scene at the base's place with the base's cast; what is not said stays."""
    words = vocabulary.own_words(spec.prompt)
    _, figures, _ = _from_references(spec.references)
    cast = {figure.key: figure for figure in (*base.figures, *figures)}
    time = vocabulary.find(words, vocabulary.TIMES)
    weather = vocabulary.find(words, vocabulary.WEATHERS)
    marks = vocabulary.find(words, vocabulary.LANDMARKS)
    names = (*(figure.name for figure in cast.values()), base.place.name)
    return replace(
        base,
        seed=spec.seed,
        time=time[0] if time else base.time,
        weather=weather[0] if weather else base.weather,
        place=replace(
            base.place, landmarks=tuple(dict.fromkeys((*base.place.landmarks, *marks)))[:4]
        ),
        figures=tuple(cast.values())[:6],
        pose=vocabulary.pose_of(words),
        caption=clean(words[:700])[:400],
        cast=tuple(name for name in names if name),
    )


def _first_colour(text: str) -> Rgb | None:
    said = (word for word in vocabulary.words(text) if word in vocabulary.COLOURS)
    return vocabulary.COLOURS.get(next(said, ""))


def _main_colour(image: bytes) -> Rgb | None:
    """The most saturated large colour of a picture; None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(image)) as opened:
            small = ImageOps.fit(opened.convert("RGB"), (48, 48)).quantize(8).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    best: tuple[float, Rgb] = (-1.0, (0, 0, 0))
    for count, colour in small.getcolors(4096) or []:
        if isinstance(colour, tuple):
            rgb: Rgb = (int(colour[0]), int(colour[1]), int(colour[2]))
            best = max(best, (count * (20 + max(rgb) - min(rgb)), rgb))
    return best[1] if best[0] >= 0 else None
