"""Which words of a prompt mean something to the eye: time, weather, places, looks, names."""

from __future__ import annotations

import re
import unicodedata

Rgb = tuple[int, int, int]

TIMES = {
    "night": "night midnight moon moonlight moonlit stars starry nighttime đêm",
    "dawn": "dawn sunrise morning daybreak sáng",
    "dusk": "dusk sunset evening twilight sundown hoàng",
    "day": "day noon midday afternoon sunny sunlight daylight trưa",
}
WEATHERS = {
    "rain": "rain rainy raining storm stormy thunder drizzle mưa",
    "snow": "snow snowy snowing snowfall blizzard winter tuyết",
    "fog": "fog foggy mist misty haze sương",
}
PLACES = {
    "sea": "sea ocean beach coast shore harbour harbor pier waves wave island cliff cliffs bay "
    "lighthouse boat ship sail biển",
    "forest": "forest woods woodland jungle pine pines trees grove rừng",
    "city": "city street streets skyscraper skyscrapers downtown urban alley neon rooftop town "
    "market phố",
    "desert": "desert dune dunes sahara cactus oasis sand canyon",
    "snow": "arctic glacier ice icy tundra polar snowfield snow snowy",
    "mountains": "mountain mountains peak peaks alps valley summit núi",
    "room": "room kitchen bedroom interior indoors inside house library office cafe café study "
    "workshop classroom tavern cabin phòng",
    "space": "space planet galaxy spaceship moonbase asteroid mars orbit cosmos rocket",
    "village": "village farm cottage cottages countryside hamlet làng",
    "meadow": "meadow field fields garden park hill hills grass river lake",
}
LANDMARKS = {
    "lighthouse": "lighthouse beacon",
    "castle": "castle fortress palace tower",
    "house": "house cottage cabin hut home farm",
    "windmill": "windmill mill",
    "boat": "boat ship sail sailboat sailing",
    "tent": "tent camp camping",
    "tree": "tree oak willow",
    "pagoda": "pagoda temple shrine",
    "campfire": "campfire bonfire",
    "rocket": "rocket spaceship",
    "balloon": "balloon balloons",
    "rainbow": "rainbow",
    "umbrella": "umbrella",
    "flowers": "flowers flower roses tulips",
    "birds": "birds bird gulls gull seagull seagulls",
}
SPECIES = {
    "cat": "cat kitten",
    "dog": "dog puppy hound",
    "fox": "fox",
    "rabbit": "rabbit bunny hare",
    "bear": "bear panda",
    "bird": "owl bird parrot penguin crow raven gull",
    "robot": "robot android droid automaton",
    "dragon": "dragon dinosaur lizard",
    "human": "man woman girl boy child king queen keeper captain sailor knight wizard witch "
    "grandmother grandfather mother father hero heroine person people worker teacher doctor "
    "merchant detective chef explorer astronaut farmer princess prince hunter artist musician",
}
COLOURS: dict[str, Rgb] = {
    "red": (214, 62, 58), "crimson": (180, 36, 60), "scarlet": (226, 54, 40),
    "orange": (240, 138, 48), "amber": (240, 170, 50), "yellow": (246, 200, 66),
    "gold": (226, 178, 70), "golden": (226, 178, 70), "green": (72, 158, 92),
    "olive": (128, 136, 66), "teal": (40, 150, 150), "turquoise": (64, 196, 190),
    "cyan": (70, 190, 220), "blue": (62, 112, 206), "navy": (38, 58, 118),
    "indigo": (74, 70, 168), "purple": (136, 84, 184), "violet": (150, 100, 206),
    "pink": (240, 140, 172), "magenta": (206, 70, 150), "brown": (138, 92, 62),
    "tan": (206, 168, 120), "beige": (224, 206, 172), "white": (240, 240, 236),
    "grey": (140, 146, 156), "gray": (140, 146, 156), "silver": (190, 198, 208),
    "black": (52, 54, 66), "auburn": (146, 66, 42), "blond": (232, 196, 112),
    "blonde": (232, 196, 112), "đỏ": (214, 62, 58), "vàng": (246, 200, 66),
}  # fmt: skip
CLOTHES = "coat raincoat jacket dress shirt cloak robe sweater jumper tunic suit uniform hoodie áo"
_HEADGEAR = {
    "beanie": "beanie bobble",
    "brim": "hat fedora straw",
    "hood": "hood hooded raincoat",
    "cap": "cap helmet beret",
    "crown": "crown tiara",
    "bow": "bow ribbon",
}
_EXTRA = {
    "scarf": "scarf shawl",
    "backpack": "backpack rucksack",
    "glasses": "glasses spectacles goggles",
    "lantern": "lantern lamp torch",
    "satchel": "satchel bag",
    "beard": "beard bearded moustache",
    "cape": "cape",
}
_NOT_NAMES = {"reference", "location", "character", "portrait", "image", "picture", "scene", "shot",
              "prompt", "style"}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NAME = re.compile(
    r"(?:\b(?:of|named|called|for|sheet|reference|portrait|name|character|location)\b[:\s\"“]*)"
    r"((?:[^\W\d_a-z][\w'’-]*)(?:\s+(?:of|the|[^\W\d_a-z][\w'’-]*)){0,3})"
)


def words(text: str) -> list[str]:
    """The words of a text in lower case, composed; a prompt's first 4,000 characters count."""
    return [m.group() for m in _WORD.finditer(unicodedata.normalize("NFC", text[:4000]).lower())]


def _same(word: str, wanted: set[str]) -> bool:
    """Whether a word, or what it is the plural or possessive of, is among the wanted."""
    return word in wanted or word.removesuffix("'s").removesuffix("’s").removesuffix("s") in wanted


def find(text: str, table: dict[str, str]) -> list[str]:
    """The keys of `table` that `text` speaks of, the most spoken of first, then as in the text."""
    said = words(text)
    hits: dict[str, tuple[int, int]] = {}
    for key, names in table.items():
        wanted = set(names.split())
        at = [index for index, word in enumerate(said) if _same(word, wanted)]
        if at:
            hits[key] = (-len(at), at[0])
    return sorted(hits, key=lambda key: hits[key])


def colour_of(text: str, things: str) -> Rgb | None:
    """The colour word at most two words before one of `things`: "red wool coat" → red."""
    said, wanted = words(text), set(things.split())
    for index, word in enumerate(said):
        if _same(word, wanted):
            for before in reversed(said[max(0, index - 2) : index]):
                if before in COLOURS:
                    return COLOURS[before]
    return None


def headgear(text: str) -> tuple[str, Rgb | None] | None:
    """What is worn on the head, with its colour if one is said."""
    for key in find(text, _HEADGEAR):
        return key, colour_of(text, _HEADGEAR[key])
    return None


def extra(text: str) -> tuple[str, Rgb | None] | None:
    """What else is worn or carried, with its colour if one is said."""
    for key in find(text, _EXTRA):
        return key, colour_of(text, _EXTRA[key])
    return None


def name_of(title: str, prompt: str) -> str:
    """A short name: the title if it is one, else what the prompt calls it."""
    first = re.match(r"\s*([^:.!?\n]{1,40}):\s", prompt)
    if first and not set(words(first.group(1))) & _NOT_NAMES:
        return " ".join(first.group(1).split())
    short = " ".join(title.split())
    if short and len(short) <= 32 and not prompt.lower().startswith(short.lower()[:-1]):
        return short
    for text in (short, prompt[:400]):
        found = _NAME.search(text)
        if found:
            return " ".join(found.group(1).split())[:32]
    said = (short or prompt[:400]).split()
    return " ".join(said[:3])[:32]


# What FlowKit and people put around a scene's own words; it must not choose the backdrop.
_AROUND = re.compile(
    r"Keep exactly the same look:[^.]*\.?|The same place and people, the story goes on:"
    r"|Natural sound only, no background music\.?",
    re.IGNORECASE,
)


def own_words(prompt: str) -> str:
    """The prompt without the lines about references, continuation and sound."""
    return " ".join(_AROUND.sub(" ", prompt[:8000]).split())


def goes_on(prompt: str) -> bool:
    """Whether an edit is really the next scene, made from the picture of the one before."""
    return re.search(r"story goes on|next scene|continues? from", prompt, re.IGNORECASE) is not None


def hair_styles(text: str) -> tuple[int, ...]:
    """Which hair suits the words: 0 and 5 short, 1 and 3 long, 2 a bun, 4 curls."""
    if _any(text, "man boy king father grandfather captain wizard prince hero"):
        return (0, 5)
    if _any(text, "woman girl queen mother grandmother witch princess heroine lady"):
        return (1, 2, 3, 4)
    return (0, 1, 2, 3, 4, 5)


def _any(text: str, names: str) -> bool:
    said = set(words(text))
    return any(name in said for name in names.split())


def kind_of(title: str, prompt: str) -> str:
    """`location`, `object`, `character` for a reference picture; `scene` for everything else."""
    text = f"{title} {prompt}".lower()
    if re.search(r"\bfull[- ]body\b|\btypical members?\b", text):
        return "character"
    if re.search(
        r"\b(location|establishing|environment|no people|empty scene|backdrop of)\b", text
    ):
        return "location"
    if re.search(r"\b(prop|visual asset|product shot|object alone|object reference)\b", text):
        return "object"
    sheet = r"\b(full[- ]body|portrait|character|turnaround|headshot|reference (image|picture) of|creature)\b"
    return "character" if re.search(sheet, text) else "scene"


def is_small(text: str) -> bool:
    return _any(text, "child girl boy kid little small tiny young kitten puppy bunny dwarf")


def is_old(text: str) -> bool:
    return _any(text, "old elderly grandmother grandfather grandma grandpa ancient aged")


def pose_of(text: str) -> str:
    """`wave`, `point`, `up` or `rest`."""
    for pose, names in (
        ("wave", "wave waves waving greets greeting hello goodbye hi"),
        ("point", "point points pointing shows showing looks looking watches watching sees gazes"),
        (
            "up",
            "celebrate cheer cheers jump jumps jumping dance dances celebrates happy runs running run",
        ),
    ):
        if _any(text, names):
            return pose
    return "rest"
