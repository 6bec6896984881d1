"""What the drawn pictures promise: size, sameness, a cast that can be told apart, any text."""

import io

import pytest
from PIL import Image, ImageChops, ImageStat

from flowkit_mcp.simulator.render import PictureSpec, Reference, Renderer

# Half of Flow's sizes: four times as fast.
WIDE, TALL = (688, 384), (384, 688)
BODY = "full-body portrait, neutral pose, plain light background."
VIEW = "wide establishing view, no people."
HOSTILE = {
    "emoji": "🎬👩🏽‍🚀🏴‍☠️ at sea",
    "vietnamese": "Linh đứng trước ngọn hải đăng dưới ánh trăng, biển đêm lặng gió",
    "cjk": "灯台の前に立つ少女、夜の海。등대 앞의 소녀",
    "right to left": "فتاة أمام المنارة שלום",
    "long": "a very long walk through the forest " * 400,
    "one long word": "x" * 5000,
    "empty": "",
    "blank": " \n\t ",
    "control": "night\x00\x07\x1b[31m sea\u202e\ufeff",
    "lone surrogate": "sea \ud83c sky",
    "filter graph": "';drawtext=text=%{pts}:x=0,[0:v]\\'\"",
}


@pytest.fixture
async def renderer():
    renderer = Renderer()
    yield renderer
    await renderer.aclose()


async def _draw(renderer, prompt, size=WIDE, seed=1, references=(), base=None, title=""):
    return await renderer.picture(PictureSpec(prompt, *size, seed, tuple(references), base, title))


def _open(picture):
    return Image.open(io.BytesIO(picture)).convert("RGB")


def _art(picture):
    """The picture without its caption bar."""
    image = _open(picture)
    return image.crop((0, 0, image.width, round(image.height * 0.89)))


def _apart(one, other):
    """Mean difference of two pictures, 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(_art(one), _art(other))).mean) / 3


def _pixels_like(picture, colour, reach=12):
    """How many pixels are within `reach` of a colour in every channel."""
    bands = _art(picture).split()
    near = [
        band.point([255 if abs(v - wanted) <= reach else 0 for v in range(256)])
        for band, wanted in zip(bands, colour, strict=True)
    ]
    both = ImageChops.darker(ImageChops.darker(near[0], near[1]), near[2])
    return both.histogram()[255]


def _coat(reference):
    """The colour at the chest of a full-body portrait."""
    image = _open(reference)
    return image.getpixel((round(image.width * 0.47), round(image.height * 0.55)))


@pytest.mark.parametrize("size", [(1376, 768), (768, 1376), (1024, 1024), (639, 361)])
async def test_a_picture_has_exactly_the_size_asked_for(renderer, size):
    picture = await _draw(renderer, "dawn over a village with a dog", size)
    with Image.open(io.BytesIO(picture)) as opened:
        assert (opened.format, opened.size, opened.mode) == ("JPEG", size, "RGB")


async def test_the_same_spec_gives_the_same_bytes_and_another_seed_another_picture(renderer):
    first = await _draw(renderer, "a girl in the forest at night", seed=7)
    again = await _draw(renderer, "a girl in the forest at night", seed=7)
    other = await _draw(renderer, "a girl in the forest at night", seed=8)
    assert first == again
    assert _apart(first, other) > 0.5


async def test_a_character_keeps_its_colour_from_the_reference_in_every_scene(renderer):
    mai = await _draw(renderer, f"Mai: a girl in a red coat. {BODY}", TALL)
    bo = await _draw(renderer, f"Captain Bo: a captain in a blue coat. {BODY}", TALL)
    red, blue = _coat(mai), _coat(bo)
    assert sum(abs(a - b) for a, b in zip(red, blue, strict=True)) > 150
    for size in (WIDE, TALL):
        alone = await _draw(renderer, "Noon in the desert.", size, 3, [Reference("Mai", mai)])
        both = await _draw(
            renderer, "Dawn in the desert.", size, 4, [Reference("Mai", mai), Reference("Bo", bo)]
        )
        assert _pixels_like(alone, red) > 300
        assert _pixels_like(alone, blue) < 25
        assert _pixels_like(both, red) > 300
        assert _pixels_like(both, blue) > 300


async def test_the_reference_itself_says_who_it_is_whatever_its_label(renderer):
    mai = await _draw(renderer, f"Mai: a fox in a green coat. {BODY}", TALL)
    one = await _draw(renderer, "In the city.", references=[Reference("Mai", mai)])
    other = await _draw(renderer, "In the city.", references=[Reference("untitled 7", mai)])
    assert one == other


async def test_characters_without_a_word_about_looks_still_differ(renderer):
    pictures = [await _draw(renderer, f"{name}. {BODY}", TALL) for name in ("Ana", "Ben", "Cyd")]
    assert min(_apart(pictures[a], pictures[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > 4


async def test_a_photo_as_reference_lends_its_colour(renderer):
    photo = io.BytesIO()
    Image.new("RGB", (300, 400), (20, 160, 60)).save(photo, "PNG")
    scene = await _draw(
        renderer, "In the desert.", references=[Reference("my uncle", photo.getvalue())]
    )
    assert _pixels_like(scene, (20, 160, 60), 20) > 300


async def test_a_location_reference_gives_its_scenes_the_backdrop(renderer):
    harbour = await _draw(renderer, f"Old Harbour: a lighthouse by the sea. {VIEW}")
    reference = Reference("Old Harbour", harbour)
    there = await _draw(renderer, "They wait.", seed=5, references=[reference])
    elsewhere = await _draw(renderer, "They wait.", seed=5)
    assert _apart(harbour, there) < 12 < _apart(harbour, elsewhere)


async def test_an_edit_keeps_the_picture_and_shows_the_change(renderer):
    base = await _draw(renderer, "A girl on the beach at noon.", seed=2)
    edited = await _draw(renderer, "add a red balloon", seed=9, base=base)
    stranger = await _draw(renderer, "Neon city at night.", seed=9)
    assert 0.3 < _apart(base, edited) < 15 < _apart(base, stranger)
    assert _apart(edited, await _draw(renderer, "make it night", seed=9, base=edited)) > 15


async def test_an_edited_photo_stays_visible_even_when_edited_twice(renderer):
    photo = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(photo, "PNG")
    once = await _draw(renderer, "add sparkle", base=photo.getvalue())
    twice = await _draw(renderer, "more sparkle", base=once)
    plain = await _draw(renderer, "", base=photo.getvalue())
    assert _apart(once, plain) < 40
    assert _apart(once, twice) < 40


async def test_an_edit_that_asks_for_nothing_is_the_picture_in_the_new_size(renderer):
    base = await _draw(renderer, "A fox in the forest.")
    small = await _draw(renderer, "", (344, 192), base=base)
    shrunk = _open(base).resize((344, 192)).crop((0, 0, 344, 170))
    difference = ImageChops.difference(shrunk, _open(small).crop((0, 0, 344, 170)))
    assert max(ImageStat.Stat(difference).mean) < 8


async def test_the_next_scene_stays_with_place_and_cast_of_the_one_before(renderer):
    mai = await _draw(renderer, f"Mai: a girl in a red coat. {BODY}", TALL)
    first = await _draw(renderer, "Mai in the desert at noon.", references=[Reference("Mai", mai)])
    following = await _draw(
        renderer,
        "The same place and people, the story goes on: Mai waves at noon.",
        seed=2,
        base=first,
    )
    assert _pixels_like(following, _coat(mai)) > 300
    assert _apart(first, following) < 20


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_text_breaks_a_picture(renderer, name):
    text = HOSTILE[name]
    reference = await _draw(renderer, text, TALL, title=text)
    scene = await _draw(renderer, text, TALL, 2, [Reference(text, reference)])
    edited = await _draw(renderer, text, TALL, 3, base=scene)
    assert _open(edited).size == TALL


@pytest.mark.parametrize("junk", [b"", b"not a picture", b"\xff\xd8\xff\xfe\x00\x10broken"])
async def test_a_damaged_reference_or_base_is_survived(renderer, junk):
    scene = await _draw(renderer, "At sea.", references=[Reference("Mai", junk)])
    assert _open(scene).size == WIDE
    assert _open(await _draw(renderer, "add rain", base=junk)).size == WIDE
    assert _open(await _draw(renderer, "", base=junk)).size == WIDE


async def test_a_forged_recipe_is_ignored(renderer):
    forged = io.BytesIO()
    comment = b'flowkit-simulator {"version": 1, "kind": "scene", "seed": "; rm", "figures": 9}'
    Image.new("RGB", (64, 64), (200, 30, 30)).save(forged, "JPEG", comment=comment)
    scene = await _draw(renderer, "At sea.", references=[Reference("Mai", forged.getvalue())])
    assert _open(scene).size == WIDE
