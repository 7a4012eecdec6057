"""Times the steps of quantizing a decoder layer as plain PyTorch does them, on the shapes of gpuquant bench.

Usage: torch_steps.py [--device cuda|cpu] [--bench FILE] [--json FILE] [--hidden N ...], where --bench is what
`gpuquant bench --json` printed: its layer is measured, and its times are set beside PyTorch's. Nothing here is tuned: it is the
Hessian in float32, Cholesky, inverse and Cholesky again, and a Python loop over columns, as the common tools have it.
"""
import argparse
import json
import math
import pathlib
import sys
import time

import torch

GROUP = 128
DAMPING = 0.05
PATIENCE = 2.0
MOST_RUNS = 20

# Where PyTorch's way differs from gpuquant's under the same name.
NOTES = {
    "gram": "all of X^T X; gpuquant sums half types in float32, and half of it",
    "gptq: factorization": "with damping; gpuquant factors once and inverts nothing",
    "gptq: column loop": "linears that share an input stacked, as gpuquant stacks them",
    "pack codes": "gpuquant does it in the column loop, where the order of columns lets it",
    "attention": "scaled_dot_product_attention",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bench", type=pathlib.Path, help="output of gpuquant bench --json, which says the layer")
    parser.add_argument("--json", type=pathlib.Path, help="file for the numbers")
    for name, usual in dict(hidden=4096, intermediate=14336, heads=32, key_heads=8, tokens=8192,
                            sequence_length=2048).items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=usual)
    return parser.parse_args()


def read_bench(file):
    """What gpuquant bench printed; where that cannot be read, nothing, so that PyTorch's times are there all the same."""
    try:
        return json.loads(file.read_text()) if file else {}
    except (OSError, ValueError) as failure:
        print(f"{file} is not the output of gpuquant bench --json ({failure}); nothing is compared", file=sys.stderr)
        return {}


class Clock:
    def __init__(self, device):
        self.device = device
        self.seconds = {}

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def time(self, step, action):
        """Adds the best of several runs to a step, the first of which loads code; returns what the last run made."""
        best, spent, runs = math.inf, 0.0, 0
        while runs < 2 or (spent < PATIENCE and runs < MOST_RUNS):
            self.wait()
            start = time.perf_counter()
            result = action()
            self.wait()
            took = time.perf_counter() - start
            best, spent, runs = min(best, took), spent + took, runs + 1
        self.seconds[step] = self.seconds.get(step, 0.0) + best
        return result


def inverse_factor(hessian):
    """Upper triangular U with U^T U the inverse of the damped Hessian."""
    damped = hessian.clone()
    damped.diagonal().add_(DAMPING * hessian.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True)


def scale_of(block):
    """The symmetric four-bit grid of every row: codes 0 to 15, zero point 8."""
    return (block.abs().amax(dim=1) * (2 / 15)).clamp_min(1e-8)


def codes_of(values, scale):
    return (torch.round(values / scale) + 8).clamp(0, 15)


def round_to_nearest(weights):
    blocks = weights.split(GROUP, dim=1)
    return torch.cat([(codes_of(b, scale_of(b)[:, None]) - 8) * scale_of(b)[:, None] for b in blocks], dim=1)


def gptq(weights, factor):
    """Algorithm 1 of arXiv 2210.17323, groups as wide as blocks: codes [out, in], scales [groups, out], errors [out, in]."""
    left = weights.clone()
    codes = torch.empty_like(weights, dtype=torch.uint8)
    quantized = torch.empty_like(weights)
    scales = torch.empty(weights.shape[1] // GROUP, weights.shape[0], device=weights.device)
    for start in range(0, weights.shape[1], GROUP):
        end = start + GROUP
        block = left[:, start:end].clone()
        errors = torch.empty_like(block)
        corner = factor[start:end, start:end]
        scale = scale_of(block)
        scales[start // GROUP] = scale
        for j in range(GROUP):
            code = codes_of(block[:, j], scale)
            value = (code - 8) * scale
            error = (block[:, j] - value) / corner[j, j]
            block[:, j:] -= torch.outer(error, corner[j, j:])
            codes[:, start + j], quantized[:, start + j], errors[:, j] = code.to(torch.uint8), value, error
        left[:, end:] -= errors @ factor[start:end, end:]
    return codes, scales, weights - quantized


def pack(codes):
    """Eight codes to a 32-bit word, down the columns: [out, in] to [in / 8, out]."""
    fields = codes.T.reshape(codes.shape[1] // 8, 8, codes.shape[0]).to(torch.int32)
    words = torch.zeros(fields.shape[0], fields.shape[2], dtype=torch.int32, device=codes.device)
    for i in range(8):
        words |= fields[:, i] << 4 * i
    return words


def output_error(difference, hessian):
    return ((difference @ hessian) * difference).sum().item()


def inputs(tokens, features, device):
    """Activations whose features go together, as real ones do."""
    few = max(features // 8, 1)
    mixed = torch.randn(tokens, few, device=device) @ torch.randn(few, features, device=device) / few ** 0.5
    return mixed + 0.3 * torch.randn(tokens, features, device=device)


def measure_stage(clock, rows, columns, layer, half):
    device = clock.device
    x = inputs(layer["tokens"], columns, device).to(half)
    weights = torch.randn(rows, columns, device=device) / columns ** 0.5

    def gram():
        wide = x.float()
        return wide.T @ wide

    hessian = clock.time("gram", gram)
    factor = clock.time("gptq: factorization", lambda: inverse_factor(hessian))
    codes, _, errors = clock.time("gptq: column loop", lambda: gptq(weights, factor))
    ours, rounding = output_error(errors, hessian), output_error(weights - round_to_nearest(weights), hessian)
    assert ours < rounding, f"GPTQ's output error {ours} is not below rounding's {rounding}"
    words = clock.time("pack codes", lambda: pack(codes))
    assert torch.equal(words[1] >> 4 & 15, codes[:, 9].int()), "codes are not where they belong"
    operand = weights.to(half)
    clock.time("product", lambda: x @ operand.T)
    return ours / rounding


def measure_attention(clock, layer, half):
    size, sequences = layer["hidden"] // layer["heads"], layer["tokens"] // layer["sequence_length"]
    q, k, v = (torch.randn(sequences, heads, layer["sequence_length"], size, device=clock.device).to(half)
               for heads in (layer["heads"], layer["key_heads"], layer["key_heads"]))
    clock.time("attention", lambda: torch.nn.functional.scaled_dot_product_attention(
        q, k, v, is_causal=True, enable_gqa=True))


def rows_of(seconds, bench):
    """Every step that either side has: name, PyTorch's seconds, gpuquant's seconds; None where there is no such step."""
    ours = {entry["name"]: entry["seconds"] for entry in bench.get("steps", [])}
    rows = [(name, seconds.get(name), ours.get(name)) for name in list(ours) + [s for s in seconds if s not in ours]]
    if ours:
        rows.append(("all that both do", sum(seconds.values()), sum(ours.get(name, 0) for name in seconds)))
    ways = bench.get("attention", [])
    return rows + [(f"attention, {way['name']}", seconds["attention"], way["seconds"]) for way in ways]


def main():
    options = arguments()
    bench = read_bench(options.bench)
    layer = bench.get("layer") or {name: getattr(options, name) for name in (
        "hidden", "intermediate", "heads", "key_heads", "tokens", "sequence_length")}
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = False
    half = torch.bfloat16 if options.device == "cuda" else torch.float32
    hidden, wide = layer["hidden"], layer["intermediate"]
    keys = hidden // layer["heads"] * layer["key_heads"]
    stages = [(hidden + 2 * keys, hidden), (hidden, hidden), (2 * wide, hidden), (hidden, wide)]
    clock = Clock(options.device)
    with torch.no_grad():
        gains = [measure_stage(clock, rows, columns, layer, half) for rows, columns in stages]
        measure_attention(clock, layer, half)
    name = torch.cuda.get_device_name() if options.device == "cuda" else "processor"
    print(f"PyTorch {torch.__version__}, {name}, {half}; stages [rows, columns] {stages}, {layer['tokens']} tokens")
    print(f"output error of GPTQ over rounding's, by stage: {', '.join(f'{gain:.2f}' for gain in gains)}\n")
    rows = rows_of(clock.seconds, bench)
    ms = lambda value: "-" if value is None else f"{value * 1e3:.3f}"
    print(f"{'step':24}{'PyTorch ms':>13}{'gpuquant ms':>13}{'ratio':>9}")
    for step, theirs, ours in rows:
        ratio = f"{theirs / ours:.2f}" if theirs and ours else "-"
        note = NOTES.get(step, "") if theirs else "not measured in PyTorch"
        print(f"{step:24}{ms(theirs):>13}{ms(ours):>13}{ratio:>9}  {note}".rstrip())
    if options.json:
        options.json.write_text(json.dumps(dict(
            torch=torch.__version__, device=name, layer=layer, gptq_error_over_rounding=gains,
            steps=[dict(name=step, pytorch_seconds=theirs, gpuquant_seconds=ours) for step, theirs, ours in rows]), indent=1))


if __name__ == "__main__":
    main()
