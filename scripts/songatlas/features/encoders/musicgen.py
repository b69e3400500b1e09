"""The decoder of MusicGen (Copet et al. 2023) as an encoder: it reads a song's codes.

As Castellon et al. 2021 (arXiv:2107.05677) do with Jukebox: the language model over EnCodec's codes
is given the codes of the song, no text, and its hidden states are averaged over time.
"""

from pathlib import Path

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.features.encoders.base import (
    AudioEncoder,
    Setting,
    from_pretrained,
    layers_named,
    token_means,
)


class Encoder(AudioEncoder):
    """Hidden states of the decoder; codes are delayed by one step per codebook, as in training."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import EncodecFeatureExtractor, MusicgenForConditionalGeneration

        super().__init__(folder, card, setting)
        self.processor = EncodecFeatureExtractor.from_pretrained(folder, local_files_only=True)
        self.model = self.ready(
            from_pretrained(MusicgenForConditionalGeneration, folder, dtype=self.dtype)
        )
        config = self.model.config.decoder
        dims = [config.hidden_size] * (config.num_hidden_layers + 1)
        self.layers = layers_named("block", dims)

    def forward(self, clips: np.ndarray) -> list:
        inputs = self.processor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        codes = self.model.audio_encoder.encode(**self.on_device(inputs)).audio_codes[0]
        # Null conditioning: what the model is given in unconditional generation.
        nothing = self.model.get_unconditional_inputs(num_samples=len(clips))
        found = self.model(
            decoder_input_ids=self.delayed(codes).flatten(0, 1),
            encoder_outputs=nothing.encoder_outputs,
            attention_mask=nothing.attention_mask,
            output_hidden_states=True,
        )
        return token_means(found.decoder_hidden_states)

    def delayed(self, codes):  # type: ignore[no-untyped-def]
        """Codes (b, codebooks, t) as the decoder reads them: (b, codebooks, t + codebooks).

        It begins with a start token; codebook k follows k steps later (the delay pattern).
        """
        books, frames = codes.shape[1:]
        start = self.model.config.decoder.pad_token_id
        shifted = codes.new_full((len(codes), books, frames + books), start)
        for book in range(books):
            shifted[:, book, 1 + book : 1 + book + frames] = codes[:, book]
        return shifted
