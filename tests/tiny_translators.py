"""Tiny Marian translation models with real tokenizers, written to disk."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SENTENCES = (
    "The film is a quiet wonder, and its ending stays with you.",
    "A dull and noisy film that forgets its own story.",
    "Where does the river end, and who named it?",
    "Nobody knows how many people live in the old town.",
    "It took three days, two boats and one very patient guide.",
)


WIDTH, POSITIONS = 384, 180


def write_translator(folder: Path, words: Mapping[str, str]) -> Path:
    """A Marian model that repeats what it reads, word piece by word piece.

    Its weights are set by hand: each position of the output attends to the same position of
    the input, and finds there the piece to write.

    Args:
        folder: to be made.
        words: pieces that are written as others, with the mark of a word's beginning;
            ``</s>`` ends the text.
    """
    import torch
    from transformers import MarianConfig, MarianMTModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    folder.mkdir(parents=True)
    vocabulary = _write_tokenizer(folder)
    size = len(vocabulary)
    config = MarianConfig(
        vocab_size=size,
        d_model=WIDTH,
        encoder_layers=0,
        decoder_layers=1,
        decoder_attention_heads=1,
        encoder_ffn_dim=8,
        decoder_ffn_dim=8,
        max_position_embeddings=512,
        pad_token_id=size - 1,
        eos_token_id=0,
        decoder_start_token_id=size - 1,
        forced_eos_token_id=0,
    )
    model = MarianMTModel(config)
    with torch.no_grad():
        _set_weights(model, [vocabulary[words.get(piece, piece)] for piece in vocabulary])
    model.generation_config.bad_words_ids = [[size - 1]]
    model.save_pretrained(folder)
    return folder


def _set_weights(model: Any, written: Sequence[int]) -> None:
    """Pieces become directions at right angles to each other and to every position's."""
    import torch

    for weight in model.parameters():
        if weight.dim() > 1 and weight.shape != model.model.decoder.embed_positions.weight.shape:
            weight.zero_()
    layer, eye = model.model.decoder.layers[0], torch.eye(WIDTH)
    positions = model.model.decoder.embed_positions.weight[:POSITIONS]
    taken = torch.cat([positions, torch.ones(1, WIDTH)])
    _, strengths, basis = torch.linalg.svd(taken, full_matrices=True)
    free = basis[int((strengths > 1e-4 * strengths[0]).sum()) :]
    pieces = free[: len(written)]
    assert len(pieces) == len(written), "too narrow for so many pieces"
    model.model.shared.weight.copy_(pieces)
    attention = layer.encoder_attn
    # The layer norm before takes each vector's mean away: a fit gives it back.
    means = positions.mean(dim=1)
    lost = torch.linalg.pinv(positions - means[:, None], rtol=1e-3) @ means
    attention.q_proj.weight.copy_(40 * (eye + torch.outer(torch.ones(WIDTH), lost)))
    attention.k_proj.weight.copy_(eye)
    attention.v_proj.weight.copy_(pieces[list(written)].T @ pieces)
    attention.out_proj.weight.copy_(eye * 400)


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """``source.spm``, ``target.spm`` and ``vocab.json``, as opus-mt has them; the vocabulary."""
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4),
        model_writer=written,
        vocab_size=120,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=3,
    )
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(written.getvalue())
    known = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    pieces = [known.id_to_piece(one) for one in range(known.get_piece_size())]
    words = ["</s>", "<unk>", *(one for one in pieces if one not in ("<s>", "</s>", "<unk>"))]
    vocabulary = {word: at for at, word in enumerate([*words, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    settings = {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "fr"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return vocabulary
