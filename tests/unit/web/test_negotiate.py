"""Accept headers as real clients send them (PS3.18 8.7)."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from engine.errors import NotAcceptable
from engine.web.negotiate import AS_STORED, Form, FrameChoice, choose, choose_frames, choose_instances, parse_accept

ROOT = "1.2.840.10008.1.2"
LE, RLE, LOSSLESS_JPEG, JLS = ROOT + ".1", ROOT + ".5", ROOT + ".4.70", ROOT + ".4.80"
J2K, HT, RPCL = ROOT + ".4.90", ROOT + ".4.201", ROOT + ".4.202"
POSSIBLE = (LE, RLE, LOSSLESS_JPEG, JLS, J2K, HT, RPCL)
OCTETS = "application/octet-stream"
STORED, NATIVE = FrameChoice(AS_STORED, True), FrameChoice(LE, True)


@pytest.mark.parametrize(
    ("accept", "uid", "media_type", "choice"),
    [
        # cornerstone3D, both of its spellings
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", J2K, "image/jp2", STORED),
        ('multipart/related; type="application/octet-stream"; transfer-syntax="*"', J2K, "image/jp2", STORED),
        (
            f'multipart/related; type="image/jls"; transfer-syntax="{JLS}"; transfer-syntax="*"',
            J2K,
            "image/jp2",
            STORED,
        ),
        ("image/jhc", RPCL, "image/jphc", FrameChoice(AS_STORED, False)),
        ("*/*", J2K, "image/jp2", STORED),
        ("multipart/related", J2K, "image/jp2", STORED),
        ("multipart/*", J2K, "image/jp2", STORED),
        ('multipart/related; type="application/octet-stream"', J2K, "image/jp2", NATIVE),
        (f'multipart/related; type="application/octet-stream"; transfer-syntax={LE}', J2K, "image/jp2", NATIVE),
        ('multipart/related; type="image/jp2"', J2K, "image/jp2", STORED),
        ("application/octet-stream", LE, OCTETS, FrameChoice(AS_STORED, False)),
        ("image/jpeg;q=0", J2K, "image/jp2", None),
        # another compression than the stored one: by name, and by the media type's default
        (f'multipart/related; type="image/jls"; transfer-syntax={JLS}', J2K, "image/jp2", FrameChoice(JLS, True)),
        ('multipart/related; type="image/jls"', J2K, "image/jp2", FrameChoice(JLS, True)),
        ("image/dicom-rle", LE, OCTETS, FrameChoice(RLE, False)),
        ("image/jpeg", LE, OCTETS, FrameChoice(LOSSLESS_JPEG, False)),
        ("image/jphc", LE, OCTETS, FrameChoice(HT, False)),
        (f"image/jphc; transfer-syntax={RPCL}", LE, OCTETS, FrameChoice(RPCL, False)),
        # a media type that the stored syntax has is as stored, also where its default is another syntax
        ("image/jpeg", ROOT + ".4.51", "image/jpeg", FrameChoice(AS_STORED, False)),
        # the first of several syntaxes that can be given
        (f"image/jp2; transfer-syntax={ROOT}.4.92; transfer-syntax={J2K}", LE, OCTETS, FrameChoice(J2K, False)),
        # the media type and the syntax must be of one kind
        (f"image/jp2; transfer-syntax={JLS}", LE, OCTETS, None),
        # what nobody can give, and what would lose
        ("image/jxl", J2K, "image/jp2", None),
        (f"image/jpeg; transfer-syntax={ROOT}.4.50", LE, OCTETS, None),
        # ranges of types
        ("image/*", J2K, "image/jp2", FrameChoice(AS_STORED, False)),
        ("image/*", LE, OCTETS, FrameChoice(RLE, False)),
        ("application/*", LE, OCTETS, FrameChoice(AS_STORED, False)),
        ("application/*", J2K, "image/jp2", FrameChoice(LE, False)),
        ('multipart/related; type="image/*"', J2K, "image/jp2", STORED),
        # quality decides, not the order, and not what costs us less
        ("image/jls;q=0.9, image/jp2;q=0.1", J2K, "image/jp2", FrameChoice(JLS, False)),
        ("image/jls;q=0.1, image/jp2;q=0.9", J2K, "image/jp2", FrameChoice(AS_STORED, False)),
        ("image/jxl, image/jls;q=0.5, */*;q=0.1", J2K, "image/jp2", FrameChoice(JLS, False)),
        ("image/jls;q=0, */*;q=0.1", J2K, "image/jp2", STORED),
        # a quality of 0 takes a type out of the wider alternatives beside it, not out of narrower ones
        ("image/jp2;q=0, */*;q=0.1", J2K, "image/jp2", NATIVE),
        ("image/jp2;q=0.0, image/*", J2K, "image/jp2", FrameChoice(RLE, False)),
        ("*/*;q=0", J2K, "image/jp2", None),
        ("*/*;q=0, image/jp2", J2K, "image/jp2", FrameChoice(AS_STORED, False)),
        ("image/*;q=0, image/jls", J2K, "image/jp2", FrameChoice(JLS, False)),
        ("image/*;q=0, application/octet-stream;q=0, */*", J2K, "image/jp2", None),
        ('multipart/related; type="image/jp2"; q=0, multipart/related', J2K, "image/jp2", NATIVE),
        ("multipart/related; q=0, */*", J2K, "image/jp2", FrameChoice(AS_STORED, False)),
        # in the form that was refused: the same type in parts was not
        ("image/jp2; q=0, multipart/related", J2K, "image/jp2", STORED),
        # and a transfer syntax out of its media type
        (f"image/jp2; transfer-syntax={J2K}; q=0, image/jp2", J2K, "image/jp2", None),
        (f"image/jp2; transfer-syntax={ROOT}.4.91; q=0, image/jp2", J2K, "image/jp2", FrameChoice(AS_STORED, False)),
        (f"application/octet-stream; transfer-syntax={LE}; q=0, */*", LE, OCTETS, FrameChoice(RLE, True)),
    ],
)
def test_frames(accept: str, uid: str, media_type: str, choice: FrameChoice | None) -> None:
    assert choose_frames(parse_accept(accept), uid, media_type, POSSIBLE) == choice


@pytest.mark.parametrize("accept", [OCTETS, "image/jls", "application/*", f"image/jp2; transfer-syntax={J2K}"])
def test_what_cannot_be_decoded_is_only_given_as_stored(accept: str) -> None:
    stored = ROOT + ".4.102"
    assert choose_frames(parse_accept(accept), stored, "video/mp4", ()) is None
    assert choose_frames(parse_accept(accept + ", */*;q=0.1"), stored, "video/mp4", ()) == STORED


def test_commas_inside_quotes_do_not_split() -> None:
    [one] = parse_accept('multipart/related; type="image/jp2, not two"; q=0.5')
    assert (one.media_type, one.quality) == ("image/jp2, not two", 0.5)


def dicom(*syntaxes: str, q: str = "") -> str:
    return 'multipart/related; type="application/dicom"' + "".join(f"; transfer-syntax={uid}" for uid in syntaxes) + q


@pytest.mark.parametrize(
    ("accept", "stored", "choice"),
    [
        ("*/*", [J2K], ([AS_STORED], Form.PARTS)),
        ("application/dicom", [J2K], ([AS_STORED], Form.BARE)),
        (dicom(), [J2K, LE], ([AS_STORED, AS_STORED], Form.PARTS)),
        (dicom("*"), [J2K, LE], ([AS_STORED, AS_STORED], Form.PARTS)),
        (dicom(J2K), [J2K], ([AS_STORED], Form.PARTS)),
        (dicom(LE), [J2K], ([LE], Form.PARTS)),
        (f"application/dicom; transfer-syntax={JLS}", [J2K], ([JLS], Form.BARE)),
        # each by itself: what the client takes as it is stays as it is
        (dicom(J2K, LE), [LE, J2K, JLS], ([AS_STORED, AS_STORED, J2K], Form.PARTS)),
        # in another order of preference
        (dicom(JLS, q=";q=0.5") + ", " + dicom(HT), [LE], ([HT], Form.PARTS)),
        (dicom(ROOT + ".4.50") + ", " + dicom(HT, q=";q=0.2"), [LE], ([HT], Form.PARTS)),
        (dicom(JLS, q=";q=0.5") + ", " + dicom("*", q=";q=0.4"), [LE], ([JLS], Form.PARTS)),
        # several do not go without parts
        ("application/dicom", [LE, LE], None),
        ("application/dicom, " + dicom(q=";q=0.1"), [LE, LE], ([AS_STORED, AS_STORED], Form.PARTS)),
        # what web services shall not use (PS3.18 8.7.3), and what would lose
        (dicom(ROOT), [LE], None),
        (dicom(ROOT + ".4.50"), [LE], None),
        # all of them or none
        (dicom(JLS), [LE, ROOT + ".4.102"], None),
        (
            dicom(JLS) + ", " + dicom(JLS, ROOT + ".4.102", q=";q=0.1"),
            [LE, ROOT + ".4.102"],
            ([JLS, AS_STORED], Form.PARTS),
        ),
        ("application/dicom+json", [LE], None),
        # a quality of 0: a transfer syntax is given in the default one, a media type not at all
        (dicom(J2K, q="; q=0") + ", " + dicom(), [J2K, JLS], ([LE, AS_STORED], Form.PARTS)),
        (dicom(J2K, q="; q=0") + ", " + dicom(JLS, "*"), [J2K], ([JLS], Form.PARTS)),
        ("application/dicom; q=0, */*", [LE], None),
        ("multipart/related; q=0, */*", [LE], ([AS_STORED], Form.BARE)),
        ("multipart/related; q=0, */*", [LE, LE], None),
        # a zip file who names it, one instance or many
        ("application/zip", [LE], ([AS_STORED], Form.ZIP)),
        (f"application/zip; transfer-syntax={J2K}", [LE, J2K], ([J2K, AS_STORED], Form.ZIP)),
        (f"application/zip; transfer-syntax={ROOT}.4.50", [LE, J2K], None),
        ("application/*", [LE], ([AS_STORED], Form.BARE)),
        ('multipart/related; type="application/zip"', [LE], None),
        (dicom(q=";q=0.9") + ", application/zip", [LE, LE], ([AS_STORED, AS_STORED], Form.ZIP)),
    ],
)
def test_instances(accept: str, stored: list[str], choice: tuple[list[str], Form] | None) -> None:
    def can(index: int, uid: str) -> bool:
        return stored[index] in POSSIBLE and uid in POSSIBLE

    assert choose_instances(parse_accept(accept), stored, can) == choice


@pytest.mark.parametrize(
    ("accept", "offers", "chosen"),
    [
        ("*/*", ("image/jpeg", "image/png"), "image/jpeg"),
        ("image/png, image/jpeg", ("image/jpeg", "image/png"), "image/png"),
        ("image/jpeg;q=0, */*", ("image/jpeg", "image/png"), "image/png"),
        ("image/jpeg;q=0, image/*;q=0.5", ("image/jpeg", "image/png"), "image/png"),
        # the narrowest alternative says how much a type is liked (RFC 9110 12.5.1)
        ("image/*;q=0.9, image/jpeg;q=0.1", ("image/jpeg", "image/png"), "image/png"),
        ("*/*, image/*;q=0.1", ("image/jpeg", "image/png"), "image/jpeg"),
        ("image/*;q=0, */*", ("image/jpeg", "image/png"), None),
        ("application/dicom+json;q=0, */*", ("application/dicom+json",), None),
        ("application/dicom+json;q=0.001, */*;q=0", ("application/dicom+json",), "application/dicom+json"),
    ],
)
def test_one_of_several_media_types(accept: str, offers: tuple[str, ...], chosen: str | None) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept": accept})
    if chosen is None:
        with pytest.raises(NotAcceptable):
            choose(request, offers)
    else:
        assert choose(request, offers) == chosen
