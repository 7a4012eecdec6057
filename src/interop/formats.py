"""Loads gpuquant's checkpoints of bitsandbytes, FP8, INT8 and FP4 in transformers, and compares perplexities.

Usage: formats.py GPUQUANT [FOLDER], where FOLDER keeps the checkpoints from one call to the next.
"""
import importlib
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "datasets/demo-llama"
TEXT = ROOT / "datasets/validation.jsonl"
CALIBRATION = ["--calibration", ROOT / "datasets/calibration.jsonl", "--sequence-length", "256", "--samples", "16"]
LENGTH = 256
TOKENS = 2048

# Arguments, the package that loads the format, and how far perplexities may be apart: engines that quantize activations
# compute something else than the weights alone would give.
FORMATS = {
    "nf4": (["bnb", "--type", "nf4"], "bitsandbytes", 0.01),
    "nf4-dq": (["bnb", "--type", "nf4", "--double-quant"], "bitsandbytes", 0.01),
    "fp4": (["bnb", "--type", "fp4"], "bitsandbytes", 0.01),
    "bnb-int8": (["bnb", "--type", "int8"], "bitsandbytes", 0.02),
    "fp8-hf": (["fp8", "--scheme", "block", "--layout", "hf"], "torch", 0.02),
    "fp8-dynamic": (["fp8"], "compressed_tensors", 0.02),
    "fp8-static": (["fp8", "--scheme", "static", *CALIBRATION], "compressed_tensors", 0.02),
    "fp8-block": (["fp8", "--scheme", "block"], "compressed_tensors", 0.02),
    "int8": (["int8", *CALIBRATION], "compressed_tensors", 0.02),
    "nvfp4": (["fp4", "--scheme", "nvfp4", *CALIBRATION], "compressed_tensors", 0.1),
    "nvfp4a16": (["fp4", "--scheme", "nvfp4a16"], "compressed_tensors", 0.01),
    "mxfp4": (["fp4", "--scheme", "mxfp4"], "compressed_tensors", 0.1),
    "mxfp8": (["fp4", "--scheme", "mxfp8"], "compressed_tensors", 0.02),
}

failures = 0


def report(name, outcome, detail):
    global failures
    failures += 1 if outcome == "FAILED" else 0
    print(f"{outcome:7} {name}: {detail}", flush=True)


def missing(*packages):
    """The first package that cannot be imported, with the reason."""
    for package in packages:
        try:
            importlib.import_module(package)
        except Exception as error:  # a package that is there may still lack what it needs
            return f"{package} cannot be imported ({error})"
    return None


def make(gpuquant, folder, arguments):
    if not (folder / "config.json").exists():
        command, *options = map(str, arguments)
        subprocess.run([gpuquant, command, str(MODEL), *options, "--out", str(folder), "--quiet"],
                       check=True, capture_output=True, text=True)


def our_perplexity(gpuquant, folder):
    output = subprocess.run(
        [gpuquant, "ppl", str(folder), "--text", str(TEXT), "--sequence-length", str(LENGTH), "--tokens", str(TOKENS),
         "--json", "--quiet"], check=True, capture_output=True, text=True).stdout
    return json.loads(output)["perplexity"]


def windows():
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    ids = []
    with open(TEXT, encoding="utf-8") as lines:
        for line in lines:
            ids.extend(tokenizer.encode(json.loads(line)["text"]).ids)
            if len(ids) >= TOKENS:
                break
    count = TOKENS // LENGTH
    return [ids[i * LENGTH:(i + 1) * LENGTH] for i in range(count)]


def their_perplexity(folder, bfloat16):
    import torch
    from transformers import AutoModelForCausalLM
    # compressed-tensors unpacks FP4 and MX weights as bfloat16, whatever type the model has.
    kind = {"dtype": torch.bfloat16} if bfloat16 else {}
    model = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu", **kind)
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for ids in windows():
            tokens = torch.tensor([ids])
            logits = model(tokens).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(logits, tokens[0, 1:], reduction="sum"))
            count += len(ids) - 1
    return float(torch.exp(torch.tensor(total / count)))


def check(gpuquant, name, folder):
    arguments, package, tolerance = FORMATS[name]
    reason = missing("torch", "transformers", "accelerate", "tokenizers", package)
    if reason:
        report(name, "not run", reason)
        return
    make(gpuquant, folder, arguments)
    try:
        theirs = their_perplexity(folder, arguments[0] == "fp4")
    except Exception as error:
        kind = "not run" if needs_gpu(error) else "FAILED"
        report(name, kind, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        return
    ours = our_perplexity(gpuquant, folder)
    report(name, "ok" if abs(theirs / ours - 1) < tolerance else "FAILED",
           f"perplexity {ours:.4f} by gpuquant, {theirs:.4f} by transformers")


def needs_gpu(error):
    """Whether a loader refuses because it computes this format on a GPU only."""
    text = str(error).lower()
    return any(word in text for word in ("no gpu", "cuda", "requires a gpu", "xpu", "triton", "kernels"))


def main():
    gpuquant = sys.argv[1]
    work = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "target/interop-output/formats"
    work.mkdir(parents=True, exist_ok=True)
    for name in FORMATS:
        check(gpuquant, name, work / name)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
