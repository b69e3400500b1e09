"""Tiny, randomly initialised checkpoints of every family, saved in its real format.

Each is made from the family's own config class and saved with its own `save_pretrained`, the
processor too: what is loaded goes the way that the published weights go.
"""

from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch

WORDS = ["sad", "slow", "song", "about", "leaving", "home", "happy", "dance"]


def _tokenizer(folder: Path, kind: str) -> Any:
    """A tokenizer of whole words, of the class that the family uses."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<s>",
        cls_token="<s>",
        sep_token="</s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=32,
    )


def clap(folder: Path) -> None:
    from transformers import (
        ClapAudioConfig,
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapProcessor,
        ClapTextConfig,
    )

    audio = ClapAudioConfig(
        patch_embeds_hidden_size=8,
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        hidden_size=64,
        num_mel_bins=64,
        spec_size=256,
        projection_dim=12,
    )
    text = ClapTextConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
        projection_dim=12,
    )
    config = ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=12)
    ClapModel(config).save_pretrained(folder)
    # As laion/larger_clap_music: unfused, random excerpts of what is longer than 10 s.
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    ClapProcessor(extractor, _tokenizer(folder, "roberta")).save_pretrained(folder)


def ast(folder: Path) -> None:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    config = ASTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        frequency_stride=64,
        time_stride=64,
    )
    ASTModel(config).save_pretrained(folder)
    ASTFeatureExtractor().save_pretrained(folder)


CONVOLUTIONS = {
    "conv_dim": [8] * 7,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}


def _waveform(folder: Path, name: str, rate_hz: int = 16_000, **options: Any) -> None:
    import transformers

    config = getattr(transformers, f"{name}Config")(**{**CONVOLUTIONS, **options})
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=rate_hz, do_normalize=True).save_pretrained(
        folder
    )


def wav2vec2(folder: Path) -> None:
    _waveform(folder, "Wav2Vec2")


def xls_r(folder: Path) -> None:
    # As facebook/wav2vec2-xls-r-300m: layer normalisation throughout, before each block.
    _waveform(
        folder, "Wav2Vec2", feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True
    )


def hubert(folder: Path) -> None:
    _waveform(folder, "Hubert")


def wavlm(folder: Path) -> None:
    _waveform(folder, "WavLM")


def whisper(folder: Path) -> None:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    config = WhisperConfig(
        vocab_size=16,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)


ENCODEC = {"num_filters": 4, "hidden_size": 16, "codebook_size": 64, "upsampling_ratios": [8, 5, 4]}


LANGUAGES = ("en", "es", "fr", "de")


def whisper_asr(folder: Path) -> None:
    """All of Whisper: a tokenizer of single bytes with its special tokens, and the decoder."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import (
        AddedToken,
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    alphabet = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = WhisperTokenizer(vocab=alphabet, merges=[])
    names = ["startoftranscript", *LANGUAGES, "translate", "transcribe", "startoflm"]
    names += ["startofprev", "nospeech", "notimestamps"]
    special = [f"<|{name}|>" for name in names]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    stamps = [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    tokenizer.add_tokens([AddedToken(stamp, special=False, normalized=False) for stamp in stamps])
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    number = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in names}
    end = {f"{kind}_token_id": tokenizer.eos_token_id for kind in ("pad", "bos", "eos")}
    end["decoder_start_token_id"] = number["startoftranscript"]
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=64,
        **end,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        is_multilingual=True,
        lang_to_id={f"<|{name}|>": number[name] for name in LANGUAGES},
        task_to_id={name: number[name] for name in ("transcribe", "translate")},
        no_timestamps_token_id=number["notimestamps"],
        prev_sot_token_id=number["startofprev"],
        begin_suppress_tokens=[tokenizer.eos_token_id],
        # It writes letters, whatever it hears.
        suppress_tokens=[i for letter, i in alphabet.items() if letter not in ascii_lowercase],
        max_initial_timestamp_index=50,
        max_length=64,
        **end,
    )
    model.save_pretrained(folder)


def _with_codes(model: Any) -> Any:
    """An EnCodec whose codebooks hold something: untrained ones are zero."""
    for layer in model.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed, std=0.05)
    return model


def encodec(folder: Path) -> None:
    from transformers import EncodecConfig, EncodecFeatureExtractor, EncodecModel

    _with_codes(EncodecModel(EncodecConfig(**ENCODEC, codebook_dim=16))).save_pretrained(folder)
    EncodecFeatureExtractor(sampling_rate=24_000).save_pretrained(folder)


def musicgen(folder: Path) -> None:
    from transformers import (
        EncodecConfig,
        EncodecFeatureExtractor,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5Config,
    )

    audio = EncodecConfig(**ENCODEC, codebook_dim=16, sampling_rate=32_000, target_bandwidths=[4.8])
    text = T5Config(vocab_size=16, d_model=12, d_kv=6, d_ff=8, num_layers=1, num_heads=2)
    decoder = MusicgenDecoderConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=16,
        num_codebooks=4,
        pad_token_id=64,
        bos_token_id=64,
    )
    config = MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=audio.to_dict(), decoder=decoder.to_dict()
    )
    model = MusicgenForConditionalGeneration(config)
    _with_codes(model.audio_encoder)
    model.save_pretrained(folder)
    EncodecFeatureExtractor(sampling_rate=32_000).save_pretrained(folder)


def qwen2_audio(folder: Path) -> None:
    """The whole model, with a tokenizer of single bytes and its special tokens."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import (
        GenerationConfig,
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        Qwen2Tokenizer,
        WhisperFeatureExtractor,
    )

    alphabet = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Qwen2Tokenizer(vocab=alphabet, merges=[])
    names = ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    language = {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 16,
    }
    audio = {
        "model_type": "qwen2_audio_encoder",
        "d_model": 16,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "num_mel_bins": 128,
    }
    sound = tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    config = Qwen2AudioConfig(audio_config=audio, text_config=language, audio_token_index=sound)
    model = Qwen2AudioForConditionalGeneration(config)
    for name, weights in model.named_parameters():
        if "audio_tower" not in name and weights.ndim == 2:
            # Large enough for what it writes to depend on what it hears.
            torch.nn.init.normal_(weights, std=0.5)
    model.generation_config = GenerationConfig(
        # It writes letters, whatever it hears.
        suppress_tokens=[
            i for letter, i in tokenizer.get_vocab().items() if letter not in ascii_lowercase
        ],
        pad_token_id=end,
        eos_token_id=end,
    )
    # In two files, as the published weights are in several.
    model.save_pretrained(folder, max_shard_size="100KB")
    extractor = WhisperFeatureExtractor(feature_size=128)
    Qwen2AudioProcessor(extractor, tokenizer).save_pretrained(folder)
    # Beside it, as the published files have it.
    extractor.save_pretrained(folder)


MERT_CODE = """
from transformers import HubertConfig, HubertModel
from transformers.modeling_outputs import BaseModelOutput


class MERTConfig(HubertConfig):
    model_type = "mert_model"


class MERTModel(HubertModel):
    config_class = MERTConfig

    def forward(self, input_values, output_hidden_states=None, **_):
        features = self.feature_projection(self.feature_extractor(input_values).transpose(1, 2))
        found = self.encoder(
            features,
            attention_mask=None,
            output_attentions=False,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        return BaseModelOutput(found[0], hidden_states=found.hidden_states)
"""
"""Code beside weights, written as for transformers 4: it asks a stack of blocks for its states."""


def mert(folder: Path) -> None:
    """HuBERT at 24 kHz under a class of the repository's own, as MERT's is."""
    import json

    _waveform(folder, "Hubert", rate_hz=24_000)
    (folder / "modeling_mert.py").write_text(MERT_CODE, encoding="utf-8")
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"model_type": "mert_model", "architectures": ["MERTModel"]}
    config["auto_map"] = {
        "AutoConfig": "modeling_mert.MERTConfig",
        "AutoModel": "modeling_mert.MERTModel",
    }
    path.write_text(json.dumps(config), encoding="utf-8")


def muq(folder: Path) -> None:
    """Needs the package muq."""
    import json

    from muq import MuQ
    from transformers import Wav2Vec2ConformerConfig

    conformer = Wav2Vec2ConformerConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    config = {
        "encoder_dim": 32,
        "encoder_depth": 2,
        "conv_dim": 4,
        "w2v2_config": json.loads(json.dumps(conformer.to_dict())),
        "stat": {"melspec_2048_mean": -20.0, "melspec_2048_std": 20.0},
    }
    MuQ(config).save_pretrained(folder, config=config)


def musicfm(folder: Path) -> None:
    """As its authors save it: a checkpoint of training, and the statistics of its spectrograms."""
    import json

    from transformers import Wav2Vec2ConformerConfig
    from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import (
        Wav2Vec2ConformerEncoder,
    )

    config = Wav2Vec2ConformerConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        hidden_act="swish",
        position_embeddings_type="rotary",
    )
    config._attn_implementation = "eager"
    conformer = Wav2Vec2ConformerEncoder(config)
    weights = {f"model.conformer.{key}": value for key, value in conformer.state_dict().items()}
    for block, channels in ((0, 1), (1, 4)):
        for number, of in ((1, channels), (2, 4), (3, channels)):
            start = f"model.conv.conv.{block}"
            layer, norm = torch.nn.Conv2d(of, 4, 3), torch.nn.BatchNorm2d(4)
            torch.nn.init.normal_(norm.running_mean)
            for key, value in layer.state_dict().items():
                weights[f"{start}.conv{number}.{key}"] = value
            for key, value in norm.state_dict().items():
                weights[f"{start}.bn{number}.{key}"] = value
    linear = torch.nn.Linear(4 * 32, 128)
    weights |= {f"model.conv.linear.{key}": value for key, value in linear.state_dict().items()}
    weights |= {"model.linear.weight": torch.zeros(2, 128), "model.cls_token": torch.zeros(128)}
    torch.save({"state_dict": weights, "epoch": 1}, folder / "pretrained_msd.pt")
    statistics = {"melspec_2048_mean": 6.77, "melspec_2048_std": 18.42}
    (folder / "msd_stats.json").write_text(json.dumps(statistics))


CHECKPOINTS = {
    "clap-music": clap,
    "clap": clap,
    "ast": ast,
    "wav2vec2": wav2vec2,
    "xls-r": xls_r,
    "hubert": hubert,
    "wavlm": wavlm,
    "whisper": whisper,
    "encodec": encodec,
    "musicgen": musicgen,
    "qwen2-audio": qwen2_audio,
    "qwen2-audio-instruct": qwen2_audio,
    "mert-95m": mert,
    "mert-330m": mert,
    "musicfm": musicfm,
    "muq": muq,
}
"""By name of an encoder; that of a package is made where the package is installed."""


def checkpoint(name: str, folder: Path) -> Path:
    """A tiny checkpoint of an encoder (or of all of Whisper, `whisper-asr`) under `folder`."""
    torch.manual_seed(0)
    made = folder / name
    made.mkdir(parents=True)
    make = whisper_asr if name == "whisper-asr" else CHECKPOINTS[name]
    make(made)
    return made
