"""Our BERT and RoBERTa against those of transformers, our AdamW against torch's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from harness.errors import CommandError
from harness_plugins.bert import Bert, open_bert, open_encoder
from harness_plugins.encoders import packaged_folder
from harness_plugins.packaged import read_config, read_tokenizer
from harness_plugins.students.encoder.heads import Tagger, load_classifier
from harness_plugins.students.training.adamw import AdamW
from harness_plugins.students.training.half import HalfCopy
from tests.tiny_encoders import write_bert, write_roberta

TAGS = ("O", "B-PER", "I-PER")


@pytest.fixture(scope="module", params=["bert", "roberta"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write = write_bert if request.param == "bert" else write_roberta
    return write(tmp_path_factory.mktemp("bert") / request.param)


def opened(folder: Path, *, fused: bool) -> Bert:
    model = open_bert(AutoConfig.from_pretrained(folder), folder, fused=fused)
    assert model is not None
    return model


def texts(model: Any, *, padded: bool) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(1)
    ids = torch.randint(5, model.config.vocab_size, (4, 12), generator=drawn)
    mask = torch.ones_like(ids)
    if padded:
        mask[1, 5:] = mask[3, 9:] = 0
        ids[mask == 0] = model.config.pad_token_id
    return {"input_ids": ids, "attention_mask": mask}


def states_and_gradients(
    model: Any, inputs: dict[str, torch.Tensor], *, half: bool
) -> list[torch.Tensor]:
    torch.manual_seed(2)  # dropout
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        states = model(**inputs, output_hidden_states=True).hidden_states
    (states[-1].square() * torch.arange(states[-1].shape[-1])).sum().backward()
    named = sorted(model.named_parameters())
    gradients = [one.grad for name, one in named if not name.startswith("pooler.")]
    return [*states, *gradients]


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("half", [True, False])
def test_the_numbers_of_transformers(
    folder: Path, *, fused: bool, training: bool, padded: bool, half: bool
) -> None:
    attention = "sdpa" if fused else "eager"
    wanted = AutoModel.from_pretrained(folder, attn_implementation=attention).train(training)
    own = opened(folder, fused=fused).train(training)
    inputs = texts(own, padded=padded)
    found, expected = (states_and_gradients(one, inputs, half=half) for one in (own, wanted))
    assert len(found) == len(expected) > 30
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_files_are_those_of_transformers(folder: Path, tmp_path: Path) -> None:
    own = opened(folder, fused=True)
    own.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path)
    assert type(again) is type(AutoModel.from_pretrained(folder))
    for name, one in own.state_dict().items():
        assert torch.equal(one, again.state_dict()[name])


def test_a_file_with_a_head_and_old_names(folder: Path, tmp_path: Path) -> None:
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_config(config)
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): one
        for name, one in saved.items()
    }
    assert old.keys() != saved.keys()
    save_file(old, tmp_path / "model.safetensors")
    found = opened(tmp_path, fused=True).state_dict()
    wanted = model.base_model.state_dict()
    assert all(torch.equal(one, wanted[name]) for name, one in found.items())


def test_what_is_computed_otherwise_is_left_to_transformers(folder: Path) -> None:
    config = AutoConfig.from_pretrained(folder)
    config.hidden_act = "relu"
    assert open_bert(config, folder, fused=True) is None
    found = open_encoder(config, folder, fused=True)
    assert type(found).__module__.startswith("transformers.")
    for other in ({"quantization_config": {"bits": 8}}, {"num_attention_heads": 3}):
        config = AutoConfig.from_pretrained(folder)
        vars(config).update(other)
        assert open_bert(config, folder, fused=True) is None
    assert open_bert(AutoConfig.for_model("electra"), folder, fused=True) is None


def test_weights_of_another_shape_are_named(folder: Path) -> None:
    config = AutoConfig.from_pretrained(folder)
    config.vocab_size += 3
    said = rf"embeddings.word_embeddings.weight is {config.vocab_size} x 32 by config.json, and"
    with pytest.raises(CommandError, match=said):
        open_encoder(config, folder, fused=True)


def test_the_packaged_encoder_with_a_head_of_transformers() -> None:
    model = load_classifier(
        packaged_folder(), "sequence", "cls", TAGS, attention_dropout=False, frozen_embeddings=True
    )
    assert model.config.id2label == dict(enumerate(TAGS))
    assert model.config.attention_probs_dropout_prob == 0
    features, _ = model.features(torch.tensor([[101, 102]]), torch.ones((1, 2)).long(), None)
    assert model.logits(features).shape == (1, 3)


def test_a_tagger_is_a_token_classifier(folder: Path, tmp_path: Path) -> None:
    """The same first head and logits, before and after it is saved."""
    torch.manual_seed(3)
    own = load_classifier(
        folder, "token", "cls", TAGS, attention_dropout=True, frozen_embeddings=False
    )
    assert isinstance(own, Tagger)
    torch.manual_seed(3)
    config = AutoConfig.from_pretrained(folder, num_labels=3)
    wanted = AutoModelForTokenClassification.from_pretrained(
        folder, config=config, attn_implementation="eager"
    )
    assert torch.equal(own.classifier.weight, wanted.classifier.weight)
    inputs = texts(own, padded=True)
    at = torch.tensor([0, 0, 1, 3]), torch.tensor([1, 11, 4, 0])

    def logits(model: Any) -> torch.Tensor:
        features, _ = model.eval().features(*inputs.values(), at)
        return torch.as_tensor(model.logits(features))

    torch.testing.assert_close(logits(own), wanted.eval()(**inputs).logits[at])
    own.save_pretrained(tmp_path)
    again = AutoModelForTokenClassification.from_pretrained(tmp_path, attn_implementation="eager")
    assert again.config.id2label == dict(enumerate(TAGS))
    torch.testing.assert_close(again.eval()(**inputs).logits[at], logits(own))
    reread = load_classifier(
        tmp_path, "token", "cls", TAGS, attention_dropout=True, frozen_embeddings=True
    )
    assert torch.equal(logits(reread), logits(own))


def test_steps_of_adamw_are_those_of_torch() -> None:
    torch.manual_seed(4)
    ours = [torch.nn.Parameter(torch.randn(*shape)) for shape in ((5, 3), (3,), (4, 4), (2,))]
    ours[2].requires_grad_(False)
    theirs = [torch.nn.Parameter(one.detach().clone()) for one in ours]
    groups = [
        {"params": [theirs[0]], "weight_decay": 0.3},
        {"params": [theirs[1], theirs[3]], "weight_decay": 0.0},
    ]
    own, other = AdamW(ours, 0.3), torch.optim.AdamW(groups, fused=True)
    for step in range(5):
        for one, same in zip(ours[:2], theirs[:2], strict=True):
            one.grad = torch.randn(one.shape)
            same.grad = one.grad.clone()
        for group in other.param_groups:
            group["lr"] = 0.1 / (1 + step)
        own.step(0.1 / (1 + step))
        other.step()
    assert all(torch.equal(one, same) for one, same in zip(ours, theirs, strict=True))


def test_a_copy_in_half_precision(folder: Path) -> None:
    model = load_classifier(
        folder, "token", "cls", TAGS, attention_dropout=True, frozen_embeddings=True
    ).eval()
    copied = HalfCopy(model)
    inputs = texts(model, padded=True)
    at = torch.tensor([0, 1, 3]), torch.tensor([1, 2, 3])

    def gradients(one: Any) -> dict[str, torch.Tensor]:
        features, _ = one.features(*inputs.values(), at)
        one.logits(features.float()).logsumexp(1).sum().backward()
        if one is copied.model:
            copied.hand_over_gradients()
        found = {
            name: own.grad.clone() for name, own in model.named_parameters() if own.requires_grad
        }
        model.zero_grad()
        return found

    copied.model.features(*inputs.values(), at)[0].sum().backward()  # a step that failed
    copied.read_weights()
    wanted, found = gradients(model), gradients(copied.model)
    assert "base_model.embeddings.word_embeddings.weight" not in wanted
    assert wanted.keys() == found.keys()
    for name, one in wanted.items():
        assert found[name].dtype == torch.float32
        assert (found[name] - one).norm() <= 0.05 * one.norm() + 1e-3, name
    with torch.no_grad():
        for own in model.parameters():
            own.add_(1)
    copied.read_weights()
    for name, own in copied.model.named_parameters():
        same = dict(model.named_parameters())[name]
        assert torch.equal(own.float(), same.to(own.dtype).float()) == same.requires_grad, name


def test_a_student_loads_neither_compiler_nor_models_of_transformers() -> None:
    """They would take seven seconds of each run."""
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from harness_plugins.sentences import SentenceEncoder\n"
        "from harness_plugins.students.noise.probing import linear_probe\n"
        "from harness_plugins.students.training.adamw import AdamW\n"
        "from harness_plugins.students.encoder.heads import load_classifier\n"
        "features = SentenceEncoder(Path(sys.argv[1])).embed(['a', 'b c'], lambda done, of: None)\n"
        "linear_probe(features, np.arange(2), np.ones(2), classes=2, penalty=0.1)\n"
        "model = load_classifier(Path(sys.argv[1]), 'token', 'cls', ('O', 'B-X', 'I-X'),\n"
        "    attention_dropout=True, frozen_embeddings=False)\n"
        "model.base_model.embeddings.LayerNorm.bias.sum().backward()\n"
        "AdamW(model.parameters(), 0.1).step(1e-3)\n"
        "print(*{'torch._dynamo', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(packaged_folder())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""


def test_the_packaged_encoder_is_read_without_transformers(tmp_path: Path) -> None:
    """Its tokenizer and configuration are those that ``transformers`` makes of the files."""
    folder = packaged_folder()
    ours, theirs = read_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    texts = ["A naïve café, 20% off!", "", "  don't\n", "日本 😀 x" * 80, "[MASK] [SEP] unaffable"]
    for options in ({}, {"truncation": True, "max_length": 9}, {"add_special_tokens": False}):
        assert ours(texts, **options)["input_ids"] == theirs(texts, **options)["input_ids"]
    assert len(ours) == len(theirs)
    assert sorted(ours.all_special_ids) == sorted(theirs.all_special_ids)
    for name in ("pad", "unk", "cls", "sep"):
        assert getattr(ours, f"{name}_token_id") == getattr(theirs, f"{name}_token_id")
    ours.model_max_length = 77
    ours.save_pretrained(tmp_path)
    read_config(folder, TAGS).save_pretrained(tmp_path)
    saved = AutoTokenizer.from_pretrained(tmp_path)
    assert saved.model_max_length == 77
    cut = saved(texts, truncation=True)["input_ids"]
    assert cut == theirs(texts, truncation=True, max_length=77)["input_ids"]
    labels = {"id2label": dict(enumerate(TAGS)), "label2id": {one: k for k, one in enumerate(TAGS)}}
    wanted = AutoConfig.from_pretrained(folder, **labels).to_diff_dict()
    found = AutoConfig.from_pretrained(tmp_path).to_diff_dict()
    assert found == wanted
