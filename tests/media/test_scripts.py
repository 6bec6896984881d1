"""Words of any script in the picture: with fonts that have their letters, broken and ordered as they are read."""

from __future__ import annotations

import itertools

import pytest
from film_checks import grey_frames
from PIL import Image, ImageChops

from flowkit_mcp.domain.cut import Captions, CaptionStyle, Cue, Cut, TextSize, Title, TitleKind
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.media import faces, fonts
from flowkit_mcp.media.captions import broken
from flowkit_mcp.media.cards import Artist
from flowkit_mcp.media.fonts import Fonts
from flowkit_mcp.media.lines import clusters, led, stretches, units
from flowkit_mcp.media.merge import merge, plan_merge
from flowkit_mcp.media.sheet import SheetItem, contact_sheet
from flowkit_mcp.media.thumbnail import thumbnail

#: Letters of each script that no two readers would confuse, and a sentence.
SCRIPTS = {
    "latin": ("ĐŽğệ", "Đêm nay trời đẹp quá, žluťoučký kůň"),
    "cyrillic": ("ДЖЯЩ", "Каждый вечер она зажигала лампу"),
    "arabic": ("بحصع", "في كل مساء كانت تصعد الدرج (2026)"),
    "hebrew": ("אבשק", "בכל ערב היא הדליקה את המנורה"),
    "hindi": ("कखगझ", "हर शाम वह दीपक जलाने के लिए सीढ़ियाँ चढ़ती थी।"),
    "chinese": ("海灯塔老", "在一座孤独的灯塔里，看守人的孙女每天傍晚都要爬上台阶，点亮那盏老灯。"),
    "japanese": ("あカ毎晩", "毎晩、彼女は階段を上って、海を照らす古いランプに火をともした。"),
    "emoji": ("🌙⭐🔥🎬", "🌙 👨‍👩‍👧 ❤️ 👍🏽"),
}


def drawn(text: str, *, bold: bool = True, size: int = 48) -> Image.Image:
    image = Image.new("RGB", (1600, 96), "#405060")
    Fonts().draw(image, (16, 64), text, size, "#FFFFFF", bold=bold, outline=2)
    return image


def unlike(one: Image.Image, two: Image.Image) -> bool:
    return ImageChops.difference(one, two).getbbox() is not None


@pytest.mark.media
@pytest.mark.parametrize("bold", [True, False])
@pytest.mark.parametrize("script", SCRIPTS)
def test_each_letter_has_a_shape_of_its_own_so_none_is_a_box(script, bold):
    letters, sentence = SCRIPTS[script]
    pictures = [drawn(letter, bold=bold) for letter in letters]
    assert all(unlike(one, two) for one, two in itertools.combinations(pictures, 2))
    fonts = Fonts()
    assert all(file for _, file in fonts.faces(letters + sentence, bold=bold))
    assert fonts.unwritable(letters + sentence) == ""


@pytest.mark.media
def test_letters_are_shaped_joined_and_in_colour():
    joined, apart = Fonts().width("بب", 48), 2 * Fonts().width("ب", 48)
    assert joined < apart * 0.9  # Arabic letters reach for each other
    assert Fonts().width("क्ष", 48) < 0.9 * Fonts().width("कष", 48)  # one conjunct
    family = Fonts().width("👨‍👩‍👧", 48)
    assert family < 1.5 * Fonts().width("🌙", 48)
    moon = drawn("🌙").getcolors(100_000)
    assert any(red > 200 and green > 120 and blue < 110 for _, (red, green, blue) in moon)


@pytest.mark.media
def test_scripts_mixed_in_a_line_keep_their_order_whatever_fonts_write_them():
    fonts = Fonts()
    shown = [piece for piece, _ in fonts.faces("שלום 世界 hello 123")]
    assert [piece.strip() for piece in shown] == ["世界", "hello 123", "שלום"]
    shown = [piece for piece, _ in fonts.faces("See שלום 世界, 42")]
    assert "".join(shown) == "See שלום 世界, 42"
    files = dict(fonts.faces("Mixed 混合 हिन्दी abc"))
    assert len({file for piece, file in files.items() if piece.strip() in {"Mixed", "abc"}}) == 1
    assert len(set(files.values())) == 3


def test_right_to_left_stands_where_its_readers_look_for_it():
    assert stretches("abc אבג 123 def") == [("ltr", "abc "), ("rtl", "אבג 123"), ("ltr", " def")]
    assert stretches("אבג abc, דהו") == [("rtl", ", דהו"), ("ltr", "abc"), ("rtl", "אבג ")]
    assert stretches("(אבג)") == [("rtl", "(אבג)")]
    assert stretches("2026 abc") == [("ltr", "2026 abc")]
    assert stretches("?") == [("ltr", "?")]


def test_lines_of_a_paragraph_are_all_read_in_its_direction():
    paragraph = "אבג abc דהו"
    assert stretches(led("abc דהו", paragraph)) == [
        ("rtl", " דהו"),
        ("ltr", "abc"),
        ("rtl", "\u200f"),
    ]
    assert led("abc", "x abc") == "abc" and led("דהו", paragraph) == "דהו"
    assert Fonts().width("\u200fabc", 40) == Fonts().width("abc", 40)


def test_a_line_is_broken_where_its_script_allows_it():
    assert units("a small lamp") == ["a ", "small ", "lamp"]
    assert units("灯塔里，“看”。") == ["灯", "塔", "里，", "“看”。"]
    assert units("「どうして？」と") == ["「ど", "う", "し", "て？」", "と"]
    assert units("使用 Python3 编程") == ["使", "用 ", "Python3 ", "编", "程"]
    assert units("안녕 세계") == ["안녕 ", "세계"]
    assert clusters("क्षि👨‍👩‍👧👍🏽🇩🇪🇫🇷é^") == ["क्षि", "👨‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷", "é", "^"]
    for text in ("ล้านเหรียญ" * 20, "क्षि" * 60, "👨‍👩‍👧" * 30, SCRIPTS["japanese"][1] * 4):
        pieces = broken(text, 20)
        assert "".join(pieces) == text and len(pieces) > 2
        whole = set(clusters(text))
        assert all(letter in whole for piece in pieces for letter in clusters(piece))
        assert not any(piece.startswith(("。", "、", "っ")) for piece in pieces)


@pytest.mark.media
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
def test_words_without_spaces_are_as_large_as_others(tmp_path, size):
    artist = Artist(*size, tmp_path, Fonts())
    style = CaptionStyle()
    latin = artist.caption("She climbed the steps every evening to light the old lamp.", style)
    chinese = artist.caption(SCRIPTS["chinese"][1], style)
    assert chinese.height > 0.8 * latin.height
    safe = artist.safe
    title = artist.title(Title(text=SCRIPTS["japanese"][1], subtitle=SCRIPTS["hindi"][1]))
    third = artist.title(Title(text=SCRIPTS["arabic"][1], kind=TitleKind.LOWER_THIRD))
    large = CaptionStyle(size=TextSize.LARGE, box=True)
    low = artist.caption("She climbed the steps every evening to light the lamp. " * 2, large)
    assert third.y + third.height <= low.y
    for card in (latin, chinese, title, third, low):
        assert safe.left <= card.x and card.x + card.width <= safe.right
        assert safe.top <= card.y and card.y + card.height <= safe.bottom


@pytest.mark.media
async def test_captions_of_all_scripts_are_burnt_into_a_film(make_clip, ffmpeg, tmp_path):
    clip = make_clip(frames=24 * len(SCRIPTS), size="640x360", picture="color=c=0x606060")
    cues = tuple(
        Cue(start_s=at, end_s=at + 1, text=sentence[:18])
        for at, (_, sentence) in enumerate(SCRIPTS.values())
    )
    result = await merge(
        [clip],
        tmp_path / "film.mp4",
        ffmpeg=ffmpeg,
        cut=Cut(captions=Captions(cues=cues, burn=True)),
    )
    assert not any("no font" in note for note in result.plan["notes"])
    film = grey_frames(result.file.path)
    shown = [sum(value > 180 for value in film[24 * at + 6]) for at in range(len(SCRIPTS))]
    assert min(shown) > 100
    assert len({bytes(film[24 * at + 6]) for at in range(len(SCRIPTS))}) == len(SCRIPTS)


async def test_what_no_font_writes_is_told_with_what_to_install(make_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(faces.sys, "platform", "linux")
    for module in (faces, fonts):  # whatever this machine has besides its plain fonts
        monkeypatch.setattr(module, "other_face", lambda *_: None)
    clip = make_clip(frames=24, size="160x90")
    cues = (Cue(start_s=0, end_s=1, text="plain 海"),)
    plan = await plan_merge([clip], Cut(captions=Captions(cues=cues, burn=True)))
    (note,) = [note for note in plan["notes"] if "no font" in note]
    assert "Chinese" in note and "apt install fonts-noto-cjk" in note and "font_file" in note
    plan = await plan_merge([clip], Cut(captions=Captions(cues=cues)))
    assert not [note for note in plan["notes"] if "no font" in note]  # only in the files
    own = tmp_path / "own.png"
    Image.new("RGB", (640, 360), "#336699").save(own)
    made = await thumbnail(
        [own], tmp_path / "t.jpg", Orientation.HORIZONTAL, title="plain", subtitle="海"
    )
    assert "Chinese" in made.note and "install" in made.note
    assert faces.remedy(["Chinese", "Hangul", "emoji"]).endswith(
        "apt install fonts-noto-cjk fonts-noto-color-emoji)"
    )
    monkeypatch.setattr(faces.sys, "platform", "darwin")
    assert "Noto" in faces.remedy(["Chinese"]) and "apt" not in faces.remedy(["Chinese"])


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("win32", "Fonts"), ("darwin", "/System/Library/Fonts"), ("linux", "/usr/share/fonts")],
)
def test_the_systems_own_folders_are_searched(monkeypatch, tmp_path, platform, folder):
    monkeypatch.setattr(faces.sys, "platform", platform)
    monkeypatch.delenv("XDG_DATA_DIRS", raising=False)
    monkeypatch.setenv("WINDIR", str(tmp_path / "Windows"))
    assert any(str(found).endswith(folder) for found in faces.font_folders())
    system = tmp_path / "Windows" / "Fonts"
    system.mkdir(parents=True)
    for name in ("LastResort.otf", "b.ttf", "a.TTC", "c.txt"):
        (system / name).write_bytes(b"")
    if platform == "win32":  # what has a box for every letter is none of them
        assert [path.name for path in faces.font_files() if path.parent == system] == [
            "a.TTC",
            "b.ttf",
        ]


@pytest.mark.media
async def test_a_contact_sheet_writes_any_script(tmp_path):
    Image.new("RGB", (320, 180), "#808080").save(tmp_path / "one.png")
    sheets = []
    for text in ("海灯", "塔老", "कख", "गझ"):
        item = SheetItem(tmp_path / "one.png", text, text, Orientation.HORIZONTAL)
        path = await contact_sheet([item], tmp_path / "sheet.jpg", title=text)
        with Image.open(path) as image:
            sheets.append(image.convert("L").copy())
    for one, two in itertools.combinations(sheets, 2):
        assert ImageChops.difference(one, two).getextrema()[1] > 100


async def test_a_label_of_several_lines_stands_in_one_on_a_sheet(tmp_path):
    sheets = []
    for label, said in (("The lamp is lit", "ab"), ("The lamp\nis\r\nlit", "a\x1c\x85b")):
        item = SheetItem(None, label, said, Orientation.VERTICAL)
        with Image.open(await contact_sheet([item], tmp_path / "sheet.jpg")) as image:
            sheets.append(image.convert("RGB"))
    assert not unlike(*sheets)


def test_where_letters_cannot_be_joined_it_is_told_and_no_sign_is_drawn(monkeypatch):
    monkeypatch.setattr(fonts, "_is_shaped", lambda: False)
    plain = Fonts()
    assert "install FriBiDi" in plain.unwritable("שלום")
    assert "install FriBiDi" in plain.unwritable("नमस्ते")
    assert plain.unwritable("The lamp") == ""
    assert plain.width("\u200fabc", 40) == plain.width("abc", 40)


def test_on_a_machine_without_fonts_plain_words_are_written_by_the_one_that_is_built_in(
    monkeypatch,
):
    for module in (faces, fonts):
        monkeypatch.setattr(module, "other_face", lambda *_: None)
    monkeypatch.setattr(fonts, "first_faces", lambda bold: [])
    bare = Fonts()
    assert bare.unwritable("The lamp") == ""
    assert "Chinese" in bare.unwritable("海")
    assert bare.width("\u200fabc", 40) == bare.width("abc", 40) > 0
