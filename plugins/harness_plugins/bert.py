"""The encoders of BERT and RoBERTa: the numbers of ``transformers``, to the bit on a CPU.

They are here because to import ``transformers``' own takes five seconds and 130 MB, in which it
loads what no encoder needs (generation, compilation, sharding), and because a GPU computes them
with half as many kernels. Names of weights are those of ``transformers``, so files are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.errors import CommandError
from harness_plugins.encoders import BERT, ROBERTA, quiet_transformers
from harness_plugins.packaged import standard_config

PREFIX = {"bert": "bert", "xlm-roberta": "roberta", "camembert": "roberta", "roberta": "roberta"}
"""Of an encoder's weights in a file with a head."""
CLASSES = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta"}
"""What ``transformers`` calls a type's classes, ``camembert``'s apart."""
RENAMED = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""In files that were converted from TensorFlow."""
FILE = "model.safetensors"


class Embeddings(nn.Module):
    """Of word pieces, positions and (always the first) type."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width, pad = config.hidden_size, config.pad_token_id
        self._pad = pad if config.model_type in ROBERTA else None
        self.word_embeddings = _embedding(config.vocab_size, width, pad)
        self.position_embeddings = _embedding(config.max_position_embeddings, width, self._pad)
        self.token_type_embeddings = _embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, ids: Tensor) -> Tensor:
        """Of ids int64 ``[batch, length]``: ``[batch, length, width]``."""
        if self._pad is None:
            positions = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0)
        else:  # RoBERTa counts from the padding's id on, and padding not at all
            there = ids.ne(self._pad).int()
            positions = (torch.cumsum(there, 1).type_as(there) * there).long() + self._pad
        words = self.word_embeddings(ids) + self._first_type(ids)
        hidden = self.LayerNorm(words + self.position_embeddings(positions))
        return torch.as_tensor(self.dropout(hidden))

    def _first_type(self, ids: Tensor) -> Tensor:
        if ids.is_cuda:  # the gradient of a row that is looked up thousands of times is slow
            return self.token_type_embeddings.weight[0]
        return torch.as_tensor(self.token_type_embeddings(torch.zeros_like(ids)))


def _embedding(count: int, width: int, pad: int | None = None) -> nn.Embedding:
    """Without first weights: to draw them for no device, torch would load its compiler."""
    return nn.Embedding(count, width, padding_idx=pad, _weight=torch.empty(count, width))


class Layer(nn.Module):
    """Attention and feed-forward part, each added to its input and normalised."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        projections = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(
            {"self": nn.ModuleDict(projections), "output": _added(width, config)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = _added(inner, config)
        self.heads = config.num_attention_heads
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)

    def forward(self, hidden: Tensor, mask: Tensor | None, *, fused: bool) -> Tensor:
        """The next states; ``mask`` and ``fused`` as of ``Bert``."""
        attend = self._fused if fused else self._eager
        query, key, value = self._projected(hidden)
        attended = attend(query, key, value, mask).transpose(1, 2).flatten(2)
        hidden = _plus(self.attention["output"], attended, hidden)
        inner = functional.gelu(self.intermediate["dense"](hidden))
        return _plus(self.output, inner, hidden)

    def _projected(self, hidden: Tensor) -> list[Tensor]:
        """Queries, keys and values, each ``[batch, heads, length, width of a head]``."""
        parts: Any = self.attention["self"]
        if hidden.is_cuda:  # one product takes a GPU less time than three
            weight, bias = (
                torch.cat([getattr(one, name) for one in parts.values()])
                for name in ("weight", "bias")
            )
            found = functional.linear(hidden, weight, bias).chunk(3, dim=2)
        else:
            found = tuple(one(hidden) for one in parts.values())
        shape = (*hidden.shape[:2], self.heads, -1)
        return [one.reshape(shape).transpose(1, 2) for one in found]

    def _eager(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        scores = torch.matmul(query, key.transpose(2, 3)) * query.shape[3] ** -0.5
        weights = functional.softmax(scores if mask is None else scores + mask, dim=-1)
        return torch.matmul(self.dropout(weights), value)

    def _fused(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        dropout = self.dropout.p if self.training else 0.0
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout
        )


def _added(inner: int, config: Any) -> nn.ModuleDict:
    """A part that ends with ``inner`` dimensions, and is added to its input."""
    width = config.hidden_size
    norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
    dropout = nn.Dropout(config.hidden_dropout_prob)
    return nn.ModuleDict({"dense": nn.Linear(inner, width), "LayerNorm": norm, "dropout": dropout})


def _plus(part: Any, inner: Tensor, hidden: Tensor) -> Tensor:
    added = part["dropout"](part["dense"](inner)) + hidden
    return torch.as_tensor(part["LayerNorm"](added))


class Bert(nn.Module):
    """An encoder without a head.

    Args:
        config: of ``transformers``.
        fused: attention is one operation, which on a CPU rounds otherwise, and whose gradient is
            several times slower there.
    """

    def __init__(self, config: Any, *, fused: bool) -> None:
        super().__init__()
        self.config, self._fused = config, fused
        self.embeddings = Embeddings(config)
        layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layer": layers})

    def get_input_embeddings(self) -> nn.Embedding:
        """Of word pieces."""
        return self.embeddings.word_embeddings

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, *, output_hidden_states: bool = False
    ) -> SimpleNamespace:
        """``last_hidden_state``, and ``hidden_states`` from the embeddings on (else None).

        With weights in bfloat16 all is computed in it, whatever autocast would do.

        Args:
            input_ids: int64 ``[batch, length]``.
            attention_mask: 1 for a word piece, 0 for padding; of the same shape.
            output_hidden_states: whether all states are wanted.
        """
        half = self.get_input_embeddings().weight.dtype == torch.bfloat16
        uncast = torch.autocast(input_ids.device.type, enabled=False) if half else nullcontext()
        with uncast:
            states = self._states(input_ids, attention_mask.bool(), every=output_hidden_states)
        hidden = tuple(states) if output_hidden_states else None
        return SimpleNamespace(last_hidden_state=states[-1], hidden_states=hidden)

    def _states(self, ids: Tensor, there: Tensor, *, every: bool) -> list[Tensor]:
        """Of the embeddings and each layer, or of the last layer alone."""
        states = [self.embeddings(ids)]
        mask = self._mask(there, states[0].dtype)
        layers: Any = self.encoder["layer"]
        for layer in layers:
            states.append(layer(states[-1], mask, fused=self._fused))
            if not every:
                del states[0]
        return states

    def _mask(self, there: Tensor, dtype: torch.dtype) -> Tensor | None:
        """What attention takes: ``[batch, 1, length, length]``, or None for no padding."""
        length = there.shape[1]
        mask = there[:, None, None, :].expand(-1, 1, length, -1)
        if _all_there(there):
            return None
        if self._fused and not there.is_cuda:
            return mask
        if there.is_cuda and torch.is_autocast_enabled("cuda"):
            dtype = torch.get_autocast_dtype("cuda")
        zero = torch.zeros((), dtype=dtype, device=there.device)
        return torch.where(mask, zero, torch.finfo(dtype).min)

    def save_pretrained(self, folder: Path) -> None:
        """The files that ``AutoModel.from_pretrained`` reads."""
        save_model(self, folder, "Model")


def _all_there(there: Tensor) -> bool:
    """Whether nothing is padding; on a GPU, which would have to be waited for, it is not asked."""
    return not there.is_cuda and bool(there.all())


def save_model(model: Any, folder: Path, head: str, prefix: str = "") -> None:
    """Write ``config.json`` and ``model.safetensors``.

    Args:
        model: with ``config``.
        folder: for the files.
        head: end of the name that ``transformers`` has for a model with this head.
        prefix: name of ``base_model`` in the file.
    """
    from safetensors.torch import save_file

    kind = model.config.model_type
    model.config.architectures = [f"{CLASSES.get(kind, kind.capitalize())}{head}"]
    model.config.save_pretrained(folder)
    state = {
        name.replace("base_model.", prefix, 1): one.contiguous()
        for name, one in model.state_dict().items()
    }
    save_file(state, folder / FILE, metadata={"format": "pt"})


def open_encoder(config: Any, folder: Path, *, fused: bool) -> Any:
    """The encoder of a folder, float32: a ``Bert``, or what ``transformers`` has for its type.

    Args:
        config: of the folder, as ``AutoConfig`` reads it.
        folder: a local one.
        fused: see ``Bert``.

    Raises:
        CommandError: see ``open_bert``.
    """
    if (known := open_bert(config, folder, fused=fused)) is not None:
        return known
    from transformers import AutoModel

    quiet_transformers()
    return AutoModel.from_pretrained(
        folder,
        config=standard_config(config),
        dtype=torch.float32,  # else it would be trained in half precision
        **attention(fused=fused),
    )


def attention(*, fused: bool) -> dict[str, str]:
    """The argument of ``from_pretrained`` for it."""
    return {} if fused else {"attn_implementation": "eager"}


def open_bert(config: Any, folder: Path, *, fused: bool) -> Bert | None:
    """The encoder of a folder, float32; None if it is none of these, or its files are others.

    Args:
        config: of the folder.
        folder: with ``config.json`` and ``model.safetensors``.
        fused: see ``Bert``.

    Raises:
        CommandError: if weights have another shape than the configuration says.
    """
    from safetensors.torch import load_file

    if not knows(config) or not (folder / FILE).exists():
        return None
    with torch.device("meta"):
        model = Bert(config, fused=fused)
    found, wanted = _encoder_weights(load_file(folder / FILE), config), model.state_dict()
    if any(name not in found or not found[name].is_floating_point() for name in wanted):
        return None
    for name, one in wanted.items():
        if found[name].shape != one.shape:
            said, there = (" x ".join(map(str, own.shape)) for own in (one, found[name]))
            raise CommandError(
                f"{folder}: {name} is {said} by config.json, and {there} in {FILE}; the two files "
                "are not of one model: fetch it again"
            )
    own = {name: found[name].float().clone() for name in wanted}  # not a file that others read
    model.load_state_dict(own, assign=True)
    return model


def knows(config: Any) -> bool:
    """Whether the configuration says nothing that is not computed here."""
    return (
        config.model_type in (*BERT, *ROBERTA)
        and not (config.model_type in ROBERTA and config.pad_token_id is None)
        and config.hidden_size % config.num_attention_heads == 0
        and config.hidden_act == "gelu"
        and not getattr(config, "quantization_config", None)
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and not (getattr(config, "is_decoder", False) or hasattr(config, "embedding_size"))
    )


def _encoder_weights(found: Mapping[str, Tensor], config: Any) -> dict[str, Tensor]:
    """By the names that they have without a head."""
    named = {}
    for name, one in found.items():
        for old, new in RENAMED.items():
            name = name.replace(old, new)
        named[name.removeprefix(f"{PREFIX[config.model_type]}.")] = one
    return named
