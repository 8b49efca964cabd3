"""Tiny causal language models with random weights and a real tokenizer, written to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
SENTENCES = (
    "The film is a quiet wonder, and its ending stays with you.",
    "A dull and noisy film that forgets its own story.",
    "You label the sentences of reviews as positive or negative. Brief answers.",
    "What is the sentiment of this sentence? Answer: positive, very positive, negative, neutral.",
)


def tokenizer(template: str | None = CHATML) -> Any:
    """Byte-level BPE, trained on a few sentences."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=special[0], eos_token=special[2], padding_side="left"
    )
    if template is not None:
        made.chat_template = template
    return made


def configuration(kind: str, size: int, width: int, layers: int, context: int) -> Any:
    """A small configuration of a kind of model."""
    from transformers import GPT2Config, LlamaConfig, MistralConfig

    if kind == "gpt2":
        return GPT2Config(
            vocab_size=size,
            n_positions=context,
            n_embd=width,
            n_layer=layers,
            n_head=4,
            eos_token_id=2,
        )
    shape = {
        "vocab_size": size,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "bos_token_id": None,
    }
    return LlamaConfig(**shape) if kind == "llama" else MistralConfig(**shape, sliding_window=16)


def write_model(
    folder: Path,
    kind: str = "llama",
    template: str | None = CHATML,
    width: int = 32,
    layers: int = 2,
    context: int = 512,
) -> Path:
    """A model with random weights; wide ones, so that its choices differ."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    words = tokenizer(template)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        configuration(kind, len(words), width, layers, context)
    )
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=1.7 / width**0.5)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
