"""Compares token ids with those of Hugging Face's tokenizers: of the data sets, and of a page of hard Unicode."""
import json
import pathlib

import tokenizers
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESOURCES = ROOT / "src/test/resources/io/gpuquant/calibration"


def dataset_ids(tokenizer, file):
    ids = []
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            ids.extend(tokenizer.encode(json.loads(line)["text"]).ids)
    return ids


def ours(run, model, file, length, work):
    """The ids that gpuquant predicts: all of consecutive sequences but the first of each."""
    out = work / "token-ids.jsonl"
    run("ppl", model, "--text", file, "--sequence-length", length, "--quiet", "--logprobs", out)
    return [json.loads(line) for line in out.read_text().splitlines()]


def compare(report, name, run, model, file, length, work, ids):
    entries = ours(run, model, file, length, work)
    same = all(ids[e["sequence"] * length + e["position"]] == e["token"] for e in entries)
    expected = len(ids) // length * (length - 1)
    report(name, same and len(entries) == expected,
           f"{len(entries)} ids compared with tokenizers {tokenizers.__version__}")


def check(report, run, model, length, work):
    """Also asks for the ids of the small tokenizers of the tests again, of every kind of model."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    lines = json.loads((RESOURCES / "unicode.json").read_text())
    page = work / "unicode.jsonl"
    page.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    spoken = [line for line in lines if line.strip()]
    ids = [i for line in spoken for i in tokenizer.encode(line).ids]
    compare(report, "token ids, hard Unicode", run, model, page, 16, work, ids)
    text = ROOT / "datasets/validation.jsonl"
    compare(report, "token ids, validation.jsonl", run, model, text, length, work, dataset_ids(tokenizer, text))
    for folder in sorted((RESOURCES / "tokenizers").iterdir()):
        small = Tokenizer.from_file(str(folder / "tokenizer.json"))
        expected = json.loads((folder / "expected.json").read_text())
        report(f"token ids, {folder.name}", [small.encode(line).ids for line in lines] == expected,
               f"{len(lines)} lines have the ids that the tests expect")
