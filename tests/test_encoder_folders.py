"""Any encoder of a folder: architectures, tokenizers, and what is missing said before paying."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from harness.config import Config
from harness.data import Kind
from harness.errors import HarnessError
from harness.plugin_manager import Plugins
from harness.run.assembly import student_of
from harness_plugins.students.encoder.heads import Standard, load_classifier
from harness_plugins.students.encoder.pieces import make_pieces
from harness_plugins.students.settings import Settings
from harness_plugins.students.sources import Source
from harness_plugins.students.training import checkpoints
from harness_plugins.students.training.training_data import TrainingData
from harness_tasks.task import DeclaredTask
from tests.exporting import SHIPPED
from tests.test_training import labels_of, student, texts
from tests.tiny_encoders import SIZES, WORDS, write_bert, write_roberta

SMALL = {"vocab_size": 60, **SIZES}
ARCHITECTURES = {
    "distilbert": transformers.DistilBertConfig(
        vocab_size=60, dim=32, n_layers=2, n_heads=2, hidden_dim=64
    ),
    "deberta-v2": transformers.DebertaV2Config(**SMALL, relative_attention=True),
    "electra": transformers.ElectraConfig(**SMALL, embedding_size=16),
    "modernbert": transformers.ModernBertConfig(
        **SMALL, pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3
    ),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_heads_of_other_architectures_are_taken_apart(
    name: str, kind: Kind, tmp_path: Path
) -> None:
    transformers.AutoModel.from_config(ARCHITECTURES[name]).save_pretrained(tmp_path)
    model = load_classifier(
        tmp_path, kind, "cls", ("O", "B-X", "I-X"), attention_dropout=False, frozen_embeddings=True
    )
    assert isinstance(model, Standard)
    model.eval()
    ids, mask = torch.randint(5, 50, (3, 9)), torch.ones(3, 9, dtype=torch.long)
    ids[1, 5:], mask[1, 5:] = 0, 0
    at = (torch.tensor([0, 1, 2]), torch.tensor([3, 2, 8]))
    with torch.inference_mode():
        features, embeddings = model.features(ids, mask, at)
        wanted = model.model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(
            model.logits(features), wanted[at] if kind == "token" else wanted
        )
    assert embeddings.shape == (3, model.config.hidden_size)
    names = ("attention_probs_dropout_prob", "attention_dropout")
    assert not any(getattr(model.config, name, 0.0) for name in names)


def test_a_general_byte_level_tokenizer_cuts_tokens_as_behind_a_space(tmp_path: Path) -> None:
    """ModernBERT's has no class of its own, and drops ``add_prefix_space``."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    made.train_from_iterator(
        [" " + " ".join(WORDS)] * 20, trainers.BpeTrainer(vocab_size=400, special_tokens=special)
    )
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, **names).save_pretrained(tmp_path)
    ARCHITECTURES["modernbert"].save_pretrained(tmp_path)
    tokenizer = Source(tmp_path, "x").tokenizer(tmp_path, "token")
    (ids,) = tokenizer(["river"], add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["Ġriver"]


CARD = DeclaredTask(SHIPPED / "demo.toml").card


def broken(folder: Path, what: str) -> Path:
    """A folder that cannot be trained."""
    (write_roberta if what == "positions" else write_bert)(folder)
    weights = folder / "model.safetensors"
    if what == "tokenizer":
        for file in (*folder.glob("token*"), folder / "vocab.txt"):
            file.unlink()
    elif what == "config":
        (folder / "config.json").write_text("{bad", encoding="utf-8")
    elif what == "weights":
        weights.unlink()
    elif what == "torn":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif what == "head":
        config = transformers.GPT2Config(vocab_size=60, n_embd=32, n_layer=1, n_head=2)
        transformers.GPT2Model(config).save_pretrained(folder)
    elif what == "type":
        (folder / "config.json").write_text('{"model_type": "none-such"}', encoding="utf-8")
    return folder


def made(folder: Path, **settings: Any) -> Any:
    spec = {"spec": f"transformers:{folder}", **settings}
    return student_of(Config.model_validate({"student": spec}), CARD, Plugins())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("tokenizer", "no tokenizer there"),
        ("weights", "no weights there"),
        ("torn", "torn or no safetensors"),
        ("head", "type 'gpt2' has no head to train here"),
        ("type", "no encoder that transformers can load"),
        ("positions", "reads at most 138 word pieces"),
        ("config", r"config\.json: damaged"),
    ],
)
def test_a_folder_that_cannot_be_trained_is_refused_at_once(
    what: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match=said) as refused:
        made(broken(tmp_path / "encoder", what), max_length=139)
    assert "\n" not in str(refused.value)


def test_an_encoder_with_a_decoder_is_refused_at_once(tmp_path: Path) -> None:
    write_bert(tmp_path / "t5")
    config = transformers.T5Config(vocab_size=60, d_model=16, d_ff=16, num_layers=1, num_heads=2)
    config.save_pretrained(tmp_path / "t5")
    for head in ("mean", "cls"):
        with pytest.raises(HarnessError, match="an encoder with a decoder; choose one without"):
            made(tmp_path / "t5", head=head)


def test_unlabelled_examples_without_consistency_are_refused(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert")
    with pytest.raises(HarnessError, match=r"student\.unlabelled has no effect"):
        made(folder, unlabelled=True)
    made(folder, unlabelled=True, consistency=1.0)


def test_a_mixture_that_never_begins_is_refused(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert")
    with pytest.raises(HarnessError, match=r"lower student\.warmup_epochs"):
        made(folder, preset="paper", epochs=4, warmup_epochs=4)
    made(folder, preset="paper", epochs=4)  # its own warm-up is as much shorter


def test_agreement_of_words_is_for_token_tasks(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"student\.agreement has no effect"):
        made(write_bert(tmp_path / "bert"), agreement=True)


@pytest.mark.parametrize("head", ["cls", "mean"])
def test_a_head_of_other_labels_is_made_anew(head: Any, tmp_path: Path) -> None:
    write_bert(tmp_path / "bert")
    kept = {"attention_dropout": False, "frozen_embeddings": False}
    three = load_classifier(tmp_path / "bert", "sequence", head, ("a", "b", "c"), **kept)
    folder = Path(shutil.copytree(tmp_path / "bert", tmp_path / "three"))
    three.save_pretrained(folder)
    again = load_classifier(folder, "sequence", head, ("a", "b", "c"), **kept)
    weights = [one.state_dict() for one in (three, again)]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    two = load_classifier(folder, "sequence", head, ("a", "b"), **kept)
    assert two.config.num_labels == 2
    assert [len(one) for key, one in two.state_dict().items() if key.endswith("classifier.bias")]
    old = three.state_dict()  # the encoder is the same
    words = [key for key in old if key.endswith("word_embeddings.weight")]
    assert words and all(torch.equal(two.state_dict()[key], old[key]) for key in words)


def test_a_checkpoint_of_another_device_is_of_another_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU's random state is not in a CPU's checkpoint."""
    pool = texts(4)
    fitted = student(write_bert(tmp_path / "bert"), Settings()).load(tmp_path / "bert")
    (pieces,) = make_pieces(pool, fitted.tokenizer, 32)
    data = TrainingData.of(pool, labels_of(pool), pieces, pieces, Settings())
    here = checkpoints.checkpoint_key(data, Settings(), "x", 0)
    monkeypatch.setattr(checkpoints, "device", lambda: torch.device("cuda"))
    assert checkpoints.checkpoint_key(data, Settings(), "x", 0) != here
