"""musicnn (Pons & Serra 2019, arXiv:1909.06654): two pretrained taggers of music, in PyTorch.

Both have one architecture, trained on the Million Song Dataset (MSD) and on MagnaTagATune (MTT).
Their weights are read from the published wheel, without TensorFlow. This module is light; `song`
holds what computes.
"""

SAMPLE_RATE_HZ = 16000

LAYERS = [
    ("MSD penultimate", 200),
    ("MTT penultimate", 200),
    ("MSD tags", 50),
    ("MTT tags", 50),
]
"""Names and numbers of the values of a patch, in order; tags are probabilities."""

VALUES = sum(dim for _, dim in LAYERS)

MSD_TAGS = (
    "rock, pop, alternative, indie, electronic, female vocalists, dance, 00s, alternative rock, "
    "jazz, beautiful, metal, chillout, male vocalists, classic rock, soul, indie rock, Mellow, "
    "electronica, 80s, folk, 90s, chill, instrumental, punk, oldies, blues, hard rock, ambient, "
    "acoustic, experimental, female vocalist, guitar, Hip-Hop, 70s, party, country, "
    "easy listening, sexy, catchy, funk, electro, heavy metal, Progressive rock, 60s, rnb, "
    "indie pop, sad, House, happy"
)

MTT_TAGS = (
    "guitar, classical, slow, techno, strings, drums, electronic, rock, fast, piano, ambient, "
    "beat, violin, vocal, synth, female, indian, opera, male, singing, vocals, no vocals, "
    "harpsichord, loud, quiet, flute, woman, male vocal, no vocal, pop, soft, sitar, solo, man, "
    "classic, choir, voice, new age, dance, male voice, female vocal, beats, harp, cello, "
    "no voice, weird, country, metal, female voice, choral"
)


def tags() -> list[str]:
    """Names of the tags of both networks, in the order of their values: first MSD's, then MTT's."""
    return f"{MSD_TAGS}, {MTT_TAGS}".split(", ")
