"""The small models of the tests, with a tokenizer whose tokens are bytes, which a vocabulary of 256 holds."""
import json
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "src/test/resources/goldens/models"


def names():
    return sorted(folder.name for folder in GOLDENS.iterdir())


def config(name):
    return json.loads((GOLDENS / name / "config.json").read_text())


def copy(name, folder):
    shutil.copytree(GOLDENS / name, folder, ignore=shutil.ignore_patterns("expected*"))
    add_tokenizer(folder)


def add_tokenizer(folder):
    """One pair of bytes is a token too, for llama.cpp wants a merge, in the place of a byte that no text has."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    # The letter that stands for the byte 0xFF.
    letters.remove("\u00ff")
    vocabulary = {token: i for i, token in enumerate([*letters, "th"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("t", "h")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
