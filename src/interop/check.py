"""Compares gpuquant with code that shares nothing with it; prints one line per check and fails if one does."""
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from tokenizers import Tokenizer

import engines
import templates
import tokens
from gptq_layout import load_dense, load_tensors
from llama import log_probabilities
from results import end, not_run, report

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "datasets/demo-llama"
TEXT = ROOT / "datasets/validation.jsonl"
WORK = ROOT / "target/interop-output"
LENGTH = 256
TOKENS = 30_000

# Engines on a processor are slow; what they compute is compared on so many sequences.
ENGINE_SEQUENCES = 2

VARIANTS = {
    "gptq-4bit-g128": ["gptq"],
    "gptq-3bit-g64-act-order-asym-v2": [
        "gptq", "--bits", "3", "--group-size", "64", "--no-sym", "--desc-act", "--format", "gptq_v2"],
    "gptq-2bit-g32-v1-asym": ["gptq", "--bits", "2", "--group-size", "32", "--no-sym"],
    "gptq-8bit-per-channel": ["gptq", "--bits", "8", "--group-size", "-1"],
    "rtn-4bit-g128": ["rtn"],
    "awq-4bit-g128-gemm": ["awq", "--objective", "gram"],
    "awq-4bit-g64-gemv": ["awq", "--objective", "gram", "--group-size", "64", "--version", "GEMV"],
}

def run(gpuquant, *arguments):
    return subprocess.run([gpuquant, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def token_windows():
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    ids = []
    with open(TEXT, encoding="utf-8") as lines:
        for line in lines:
            ids.extend(tokenizer.encode(json.loads(line)["text"]).ids)
    ids = np.array(ids[:TOKENS])
    return ids[: len(ids) // LENGTH * LENGTH].reshape(-1, LENGTH)


def perplexity(config, weights, windows):
    return float(np.exp(-np.mean([log_probabilities(config, weights, window) for window in windows])))


def our_perplexity(gpuquant, folder, *arguments):
    output = run(gpuquant, "ppl", folder, "--text", TEXT, "--sequence-length", LENGTH, "--tokens", TOKENS, "--json",
                 *arguments)
    return json.loads(output)["perplexity"]


def check_perplexity(gpuquant, name, folder, windows):
    config, weights = load_dense(folder)
    theirs = perplexity(config, weights, windows)
    ours = our_perplexity(gpuquant, folder)
    report(name, abs(ours / theirs - 1) < 5e-5, f"perplexity {ours:.6f} by gpuquant, {theirs:.6f} by NumPy")


def check_with_engines(gpuquant, windows):
    """The original in transformers, and every quantized checkpoint in the engines that load it."""
    try:
        import torch
        import transformers
    except ImportError:
        for engine in engines.LOADERS:
            not_run(engine, "PyTorch and transformers are not installed")
        return
    print(engines.versions("torch", "transformers", "accelerate", "optimum", "gptqmodel", "safetensors"), flush=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    theirs = float(np.exp(-engines.log_probabilities(model, windows).mean()))
    ours = our_perplexity(gpuquant, MODEL)
    report(f"transformers {transformers.__version__}, original, float32", abs(ours / theirs - 1) < 5e-5,
           f"perplexity {ours:.6f} by gpuquant, {theirs:.6f} by transformers")
    some = windows[:ENGINE_SEQUENCES]
    for name in VARIANTS:
        file = WORK / f"{name}.logprobs"
        run(gpuquant, "ppl", WORK / name, "--text", TEXT, "--sequence-length", LENGTH, "--tokens", some.size,
            "--logprobs", file)
        for engine in engines.LOADERS:
            engines.check(report, not_run, engine, name, WORK / name, engines.read_log_probabilities(file, some), some)


def main():
    gpuquant = sys.argv[1]
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    windows = token_windows()
    templates.check(report)
    tokens.check(report, lambda *arguments: run(gpuquant, *arguments), MODEL, LENGTH, WORK)
    check_perplexity(gpuquant, "original", MODEL, windows)
    for name, (command, *options) in VARIANTS.items():
        calibration = ["--calibration", ROOT / "datasets/calibration.jsonl", "--sequence-length", LENGTH]
        run(gpuquant, command, MODEL, "--out", WORK / name, "--quiet", *options,
            *(calibration if command != "rtn" else []))
        copied = load_tensors(MODEL)
        written = load_tensors(WORK / name)
        # AWQ folds scales into norms.
        kept = [key for key in copied if key in written and not (command == "awq" and "layernorm" in key)]
        report(f"{name}, other tensors", all(np.array_equal(copied[key], written[key]) for key in kept),
               f"{len(kept)} tensors equal to the original's, read by the safetensors library")
        check_perplexity(gpuquant, name, WORK / name, windows)
    check_with_engines(gpuquant, windows)
    end()


if __name__ == "__main__":
    main()
