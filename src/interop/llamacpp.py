"""Loads gpuquant's GGUF files in llama.cpp and compares perplexities; LLAMA_CPP names the folder of its programs.

Usage: llamacpp.py GPUQUANT [NAME...], where NAME picks some of the models.
"""
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys

import small_models
from results import end, not_run, report

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "datasets/demo-llama"
TEXT = ROOT / "datasets/validation.jsonl"
WORK = ROOT / "target/interop-output/llama.cpp"
LENGTH = 256
CHUNKS = 24

# llama.cpp rounds what enters a quantized linear to eight bits on a processor, and keys and values to float16.
PLAIN_TOLERANCE = 5e-4
QUANTIZED_TOLERANCE = 3e-3

DEMO_TYPES = {
    "F16": PLAIN_TOLERANCE, "Q2_K": 1e-2,
    **dict.fromkeys(["Q8_0", "Q4_0", "Q5_1", "Q3_K_M", "Q4_K_M", "Q5_K_S", "Q6_K", "IQ4_NL", "IQ4_XS"], QUANTIZED_TOLERANCE)}

# Of these also what gpuquant reads in them, as a file of F32 that llama.cpp computes with as it is.
DEQUANTIZED = ["Q2_K", "Q4_K_M", "IQ4_XS"]

def program(name):
    return shutil.which(name, path=os.environ.get("LLAMA_CPP") or None)


def run(*arguments):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"{arguments[0]} ended with {done.returncode}"])[-1])
    return done.stdout + done.stderr


def write_text(folder, file, bos):
    """Rows for gpuquant and one text for llama.cpp that both cut into the same sequences.

    llama.cpp replaces the first token of a chunk by the one that begins a text, if the model has one; so each row has a token
    less than a sequence then, and a line end stands between rows.
    """
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    length = LENGTH - 1 if bos else LENGTH
    end = encode("\n") if bos else []
    rows, text, ids = [], "", []
    with open(TEXT, encoding="utf-8") as lines:
        for line in lines:
            tokens = encode(json.loads(line)["text"])
            for start in range(0, len(tokens) - length + 1, length):
                piece = tokens[start:start + length]
                row = tokenizer.decode(piece)
                longer = text + ("\n" if bos and rows else "") + row
                expected = ids + (end if rows else []) + piece
                # Only what is cut into the same tokens alone and in its place is of use here.
                if encode(row) == piece and encode(longer) == expected:
                    rows, text, ids = [*rows, row], longer, expected
            if len(rows) > CHUNKS:
                break
    file.with_suffix(".txt").write_text(text, encoding="utf-8")
    file.with_suffix(".jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")


def our_perplexities(gpuquant, model, tokenizer, text):
    """Of the first sequence, the first two, and so on; of their second halves, which is what llama.cpp scores."""
    out = WORK / "logprobs.jsonl"
    run(gpuquant, "ppl", model, "--tokenizer", tokenizer, "--text", text.with_suffix(".jsonl"), "--sequence-length", LENGTH,
        "--tokens", LENGTH * CHUNKS, "--logprobs", out, "--quiet")
    sums = [0.0] * CHUNKS
    for entry in map(json.loads, out.read_text().splitlines()):
        if entry["sequence"] < CHUNKS and entry["position"] > LENGTH // 2:
            sums[entry["sequence"]] += entry["logprob"]
    scored = LENGTH - LENGTH // 2 - 1
    return [math.exp(-sum(sums[:n + 1]) / (scored * (n + 1))) for n in range(CHUNKS)]


def their_perplexities(model, text):
    """The last ones may be missing: llama.cpp does not always print all before it ends."""
    output = run(program("llama-perplexity"), "-m", model, "-f", text.with_suffix(".txt"), "-c", LENGTH, "-b", LENGTH,
                 "--chunks", CHUNKS)
    return [float(value) for value in re.findall(r"\[\d+\]([0-9.]+),", output)]


def check(gpuquant, name, folder, kind, text, tolerance):
    try:
        file = WORK / f"{name}.gguf"
        run(gpuquant, "gguf", folder, "--type", kind, "--pre", "gpt-2", "--out", file, "--quiet")
        compare(gpuquant, name, file, folder, text, tolerance)
    except Exception as failure:
        report(name, False, f"{type(failure).__name__}: {failure}")


def check_dequantized(gpuquant, kind, text):
    name = f"demo-{kind}, dequantized"
    try:
        plain, file = WORK / f"{kind}-plain", WORK / f"{kind}-plain.gguf"
        run(gpuquant, "convert", WORK / f"demo-{kind}.gguf", "--to", "safetensors", "--out", plain)
        for side in DEMO.glob("tokenizer*"):
            shutil.copy(side, plain)
        run(gpuquant, "gguf", plain, "--type", "F32", "--pre", "gpt-2", "--out", file, "--quiet")
        compare(gpuquant, name, file, DEMO, text, PLAIN_TOLERANCE)
    except Exception as failure:
        report(name, False, f"{type(failure).__name__}: {failure}")


def compare(gpuquant, name, file, folder, text, tolerance):
    theirs = their_perplexities(file, text)
    if len(theirs) < CHUNKS // 2:
        raise RuntimeError(f"llama.cpp printed {len(theirs)} perplexities of {CHUNKS}")
    ours = our_perplexities(gpuquant, file, folder, text)[len(theirs) - 1]
    report(name, abs(ours / theirs[-1] - 1) < tolerance,
           f"perplexity {ours:.4f} by gpuquant, {theirs[-1]:.4f} by llama.cpp, of {len(theirs)} sequences")


def main():
    gpuquant, *chosen = sys.argv[1:]
    if not program("llama-perplexity"):
        not_run("llama.cpp", "set LLAMA_CPP to the folder that has llama-perplexity")
        return
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    text = WORK / "demo"
    write_text(DEMO, text, bos=True)
    for kind, tolerance in DEMO_TYPES.items():
        if not chosen or "demo" in chosen:
            check(gpuquant, f"demo-{kind}", DEMO, kind, text, tolerance)
            if kind in DEQUANTIZED:
                check_dequantized(gpuquant, kind, text)
    for name in small_models.names():
        if not chosen or name in chosen:
            # Of a model with phi in its name, llama.cpp wants tokens that this tokenizer lacks.
            folder, text = WORK / name.replace("phi", "p"), WORK / f"{name}-text"
            small_models.copy(name, folder)
            write_text(folder, text, bos=False)
            check(gpuquant, f"{name}-F16", folder, "F16", text, PLAIN_TOLERANCE)
    end()


if __name__ == "__main__":
    main()
