"""Attributes of the sound that dimensions of a latent can be bound to.

A bound dimension is pushed, by one more term of the loss, to order windows as the attribute does
(Hadjeres et al. 2017 for GLSR-VAE; the loss is that of AR-VAE, Pati and Lerch 2020). All attributes
come from the spectrogram itself, before it is standardised, so no label takes part.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

SLOWEST_BPM, FASTEST_BPM, TEMPI = 50.0, 220.0, 300
"""Tempi that are tried lie 0.5 % apart."""

TEMPO_CENTRE_BPM = 120.0
"""Where listeners prefer the beat (Parncutt 1994): breaks ties between a tempo and its double."""

BEATS = 4
"""A beat period is tried together with its multiples up to this one."""

FLAT = 1e-3
"""Spectrograms and onset envelopes that vary less than this (dB) have no centroid and no pulse."""

AT_ONCE = 256
"""Windows whose attributes are computed together."""


def brightness(mel_db: Tensor) -> Tensor:
    """Spectral centroid of windows, (B, n_mels, n_frames) in dB → (B,) float32, in mel bands.

    The mean number of the mel band (the lowest is 0), weighted by the window's mean power in each.
    NaN where the spectrogram is constant: silence has no centroid.
    """
    values = mel_db.float()
    # The loudest value becomes power 1, which leaves the centroid as it is.
    loudest = values.amax((1, 2), keepdim=True)
    power = torch.pow(10.0, (values - loudest) / 10.0).mean(2)
    bands = torch.arange(values.shape[1], device=values.device, dtype=torch.float32)
    centroid = (power * bands).sum(1) / power.sum(1)
    flat = values.amax((1, 2)) - values.amin((1, 2)) < FLAT
    return centroid.masked_fill(flat, math.nan)


def loudness(mel_db: Tensor) -> Tensor:
    """Mean power of windows over bands and frames, (B, n_mels, n_frames) in dB → (B,), in dB."""
    values = mel_db.float().flatten(1)
    log_sum = torch.logsumexp(values * (math.log(10.0) / 10.0), dim=1)
    return (log_sum - math.log(values.shape[1])) * (10.0 / math.log(10.0))


def onset_tempo(mel_db: Tensor, frame_rate_hz: float) -> Tensor:
    """Tempo of windows, (B, n_mels, n_frames) in dB → (B,) float32, in beats per minute.

    The onset envelope is the rise from frame to frame averaged over bands (Ellis 2007). Of its
    autocorrelation the tempo is taken whose period and multiples correlate best, with a mild
    preference for 120. NaN where nothing rises, and for windows shorter than two slow beats.

    An estimate: it can settle on the double or the half of the beat that a listener taps.
    """
    rise = mel_db.float().diff(dim=2).clamp_min(0.0).mean(1)
    n_onsets = rise.shape[1]
    if n_onsets < 2.0 * 60.0 / SLOWEST_BPM * frame_rate_hz:
        return torch.full((len(rise),), math.nan, device=rise.device)
    envelope = rise - rise.mean(1, keepdim=True)
    spectrum = torch.fft.rfft(envelope, n=2 * n_onsets)
    correlation = torch.fft.irfft(spectrum.abs().square(), n=2 * n_onsets)[:, :n_onsets]
    energy = correlation[:, :1]
    # A sum over fewer frames is smaller at longer lags; the share of lags that is left mends that.
    overlap = torch.arange(n_onsets, 0, -1, device=rise.device) / n_onsets
    correlation = correlation / energy.clamp_min(1e-12) / overlap
    tempi = torch.logspace(
        math.log10(SLOWEST_BPM), math.log10(FASTEST_BPM), TEMPI, device=rise.device
    )
    periods = 60.0 * frame_rate_hz / tempi
    comb = torch.zeros(len(rise), TEMPI, device=rise.device)
    heard = torch.zeros(TEMPI, device=rise.device)
    for multiple in range(1, BEATS + 1):
        lags = multiple * periods
        fits = lags < n_onsets // 2
        comb += _at(correlation, lags.clamp_max(n_onsets - 2)) * fits
        heard += fits
    preference = torch.exp(-0.5 * torch.log2(tempi / TEMPO_CENTRE_BPM).square())
    score = (comb / heard.clamp_min(1.0)).clamp_min(0.0) * preference
    flat = (rise.std(1) < FLAT) | (score.amax(1) <= 0.0)
    return tempi[score.argmax(1)].masked_fill(flat, math.nan)


def _at(curve: Tensor, places: Tensor) -> Tensor:
    """Linear interpolation of rows (B, T) at fractional places (P,) → (B, P)."""
    below = places.floor().long()
    share = places - below
    return curve[:, below] * (1.0 - share) + curve[:, below + 1] * share


ATTRIBUTES: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    "tempo": onset_tempo,
    "brightness": lambda mel_db, frame_rate_hz: brightness(mel_db),
    "loudness": lambda mel_db, frame_rate_hz: loudness(mel_db),
}
"""What `loss.attributes` can name."""

UNITS = {"tempo": "bpm", "brightness": "mel bands", "loudness": "dB"}


@torch.no_grad()
def window_attributes(mel_db: Tensor, names: Sequence[str], frame_rate_hz: float) -> Tensor:
    """Attributes of windows (n, n_mels, n_frames) in dB → (n, len(names)) float32; NaN: unknown.

    `frame_rate_hz` is `sample_rate_hz / hop_length` of the spectrogram.
    """
    if not len(mel_db):
        return torch.zeros(0, len(names))
    blocks = [
        torch.stack([ATTRIBUTES[name](some, frame_rate_hz) for name in names], dim=1)
        for some in mel_db.split(AT_ONCE)
    ]
    return torch.cat(blocks)


def attribute_loss(
    z: Tensor, attributes: Tensor, dimensions: Sequence[int], delta: float = 1.0
) -> Tensor:
    """How far bound dimensions are from ordering a batch as their attributes do: a scalar ≥ 0.

    For every pair of windows, |tanh(delta · (z_i − z_j)) − sign(a_i − a_j)|, averaged over pairs
    and summed over attributes (AR-VAE, equation 4). 0 when every pair is in order and far apart.

    Args:
        z: (B, D) latents, sampled or means.
        attributes: (B, A), in any unit: only the order counts. Pairs in which one is NaN are left
            out; an attribute that no pair has adds nothing.
        dimensions: the A columns of `z` that are bound, in the order of the attributes.
        delta: how soon a distance in the latent counts as large.
    """
    # A list as an index would be copied to the device in every step.
    bound = torch.stack([z[:, dimension] for dimension in dimensions], dim=1).float()
    attributes = attributes.to(bound)
    distance = torch.tanh(delta * (bound[:, None] - bound[None]))
    unlike = attributes[:, None] - attributes[None]
    known = unlike.isfinite() & ~torch.eye(len(z), dtype=torch.bool, device=z.device)[..., None]
    error = (distance - torch.where(known, unlike, 0.0).sign()).abs() * known
    return (error.sum((0, 1)) / known.sum((0, 1)).clamp_min(1)).sum()
