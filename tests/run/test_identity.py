"""A song is known by its coded sound: not by tags, covers, padding, container or place."""

import io
from functools import partial
from pathlib import Path

import av
import pytest

from damages import CONTAINERS, HARMLESS, apev2, id3v1, id3v2, lyrics3, song
from songatlas.corpus.sound.decode import probe
from songatlas.corpus.sound.sound_bytes import SoundView, sound_bytes


def digest(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return probe(path).digest


def remuxed(data: bytes, form: str, **tags: str) -> bytes:
    """The same packets written again by another program, with tags."""
    file = io.BytesIO()
    with av.open(io.BytesIO(data)) as container, av.open(file, "w", format=form) as out:
        out.metadata.update(tags)
        stream = out.add_stream_from_template(container.streams.audio[0])
        for packet in container.demux(container.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize("kind", CONTAINERS)
def test_tags_covers_and_padding_change_no_id(tmp_path: Path, kind: str) -> None:
    data = song(kind)
    known = digest(tmp_path / "a", data)
    for name, damage in HARMLESS.items():
        if "noise" not in name:
            assert digest(tmp_path / "b", damage(data, kind, None)) == known, name
    tagged = remuxed(data, CONTAINERS[kind][1], title="a title", lyrics="la la la\n" * 2000)
    assert tagged != data or kind == "aac"  # which holds no tags
    assert digest(tmp_path / "b", tagged) == known


def test_the_same_packets_in_another_container_are_the_same_song(tmp_path: Path) -> None:
    for kind in ("mp3", "flac", "opus", "m4a", "wav"):
        inside = remuxed(song(kind), "matroska")
        assert digest(tmp_path / "b", inside) == digest(tmp_path / "a", song(kind)), kind


@pytest.mark.parametrize("kind", CONTAINERS)
def test_other_sound_is_another_song(tmp_path: Path, kind: str) -> None:
    assert digest(tmp_path / "a", song(kind)) != digest(tmp_path / "b", song(kind, 1))


def test_codec_rate_and_channels_are_part_of_it(tmp_path: Path) -> None:
    ids = {
        digest(tmp_path / "a", song("wav")),
        digest(tmp_path / "a", song("aiff")),
        digest(tmp_path / "a", song("wav", rate=32000)),
        digest(tmp_path / "a", song("wav", channels=1)),
    }
    assert len(ids) == 4


def test_a_file_of_one_note_and_silence_differs_from_a_longer_silence(tmp_path: Path) -> None:
    short, long = song("wav"), song("wav") + bytes(4000)
    long = long[:4] + (len(long) - 8).to_bytes(4, "little") + long[8:]
    at = long.index(b"data") + 4
    long = long[:at] + (len(long) - at - 4).to_bytes(4, "little") + long[at + 4 :]
    assert digest(tmp_path / "a", short) != digest(tmp_path / "b", long)


# --- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp3", "aac", "flac", "ogg", "wv", "tta"])
@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (b"", b""),
        (id3v2(700), id3v1()),
        (bytes(70) + id3v2(700) + bytes(9) + id3v2(90), apev2(999) + id3v1()),
        (apev2(99), lyrics3()),
        (b"", b"LYRICSBEGINla la laLYRICSEND" + id3v1()),
        (b"", bytes(500) + apev2(99) + bytes(900)),
        (b"", id3v2(700) + bytes(70)),
        (b"", b"3DI".join([id3v2(700), id3v2(700)[3:10]])),
        (id3v2(99), apev2(99) + lyrics3() + id3v2(99) + id3v1() + bytes(20)),
    ],
    ids=["none", "ID3", "ID3 twice", "APE", "Lyrics3", "zeros", "ID3 behind", "footer", "all"],
)
def test_decoders_see_the_sound_alone(kind: str, head: bytes, tail: bytes) -> None:
    data = song(kind)
    bare = _seen(data)
    assert bare in data
    assert len(bare) > 0.99 * len(data)
    assert _seen(head + data + tail).rstrip(b"\0") == bare.rstrip(b"\0")


def _seen(data: bytes) -> bytes:
    file = io.BytesIO(data)
    sound = sound_bytes(file)
    assert not sound.lost
    return b"".join(iter(partial(SoundView(file, sound).read, 999), b""))


def test_a_view_of_pieces_reads_and_seeks_like_a_file() -> None:
    data = song("mp3")
    file = io.BytesIO(data + id3v2() + data)
    view = SoundView(file, sound := sound_bytes(file))
    assert len(sound.pieces) == 2
    assert view.seek(0, 2) == sound.size
    whole = _seen(data)
    assert view.seek(len(whole) - 3) == len(whole) - 3
    assert view.read(10) + view.read(4) == whole[-3:] + whole[:4]
    assert view.tell() == len(whole) + 4
