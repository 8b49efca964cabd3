"""Encoders with random weights and real tokenizers, written to a folder as the hub has them."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
)

__all__ = ["WORDS", "write_bert", "write_roberta"]

WORDS = [
    *("house", "river", "stone", "bright", "cold", "music", "doctor", "paper", "garden", "window"),
    *("quick", "slow", "table", "green", "north", "winter", "summer", "bread", "water", "light"),
]
WIDTH = 32
SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def write_bert(folder: Path) -> Path:
    """A BERT of two layers; its word pieces are whole words and letters."""
    folder.mkdir(parents=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters]
    pieces += [f"##{letter}" for letter in letters]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(pieces), **SIZES)).save_pretrained(folder)
    return folder


def write_roberta(folder: Path) -> Path:
    """A RoBERTa of two layers with byte-level pieces trained on ``WORDS``."""
    folder.mkdir(parents=True)
    trained = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(
        [" ".join(WORDS)] * 20, vocab_size=400, min_frequency=1, special_tokens=special
    )
    trained.save_model(str(folder))
    tokenizer = RobertaTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=140, pad_token_id=1, **SIZES
    )
    RobertaModel(config).save_pretrained(folder)
    return folder
