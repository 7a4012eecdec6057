"""Sums up what src/hardware/run left in a folder, as Markdown on standard output. Needs nothing but Python.

Usage: summary.py FOLDER. A part whose step did not run says so; nothing is filled in.
"""
import json
import pathlib
import re
import sys

STAGES = ("attention-in", "attention-out", "mlp-in", "mlp-out")
LONGEST = 15


def read(folder, name):
    """The JSON of a step, or None where the step did not come so far."""
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def table(*rows):
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def number(value, digits=3):
    return "-" if value is None else f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.0f}"


def ratio(value, floor):
    return number(value / floor) if value is not None and floor else "-"


def floors(config, rates, sequences, length):
    """Seconds that every stage's work takes in all layers at the measured rates, with nothing at once: arithmetic plus traffic.

    A stage has the products that make its input, which are the linears of the stage before, the pass over memory between them, the
    Gram matrix, of which half is summed, the factorization, n^3 / 3 operations, and the column loop's products, n^2 for each
    output. The last stage's own product closes the layer.
    """
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    keys = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    tokens, heads = sequences * length, hidden + 2 * keys
    half, single, memory = (rates[name] for name in ("half_per_second", "float32_per_second", "bytes_per_second"))
    product = lambda weights: 2 * tokens * weights / half
    traffic = lambda size: tokens * size / memory
    gram = lambda n: tokens * n * (n + 1) / half
    gptq = lambda outputs, n: (n ** 3 / 3 + outputs * n * n) / single
    norm, residual = 6 * hidden, 12 * hidden
    attention = 4 * tokens * (length + 1) / 2 * hidden / half
    layer = {
        "attention-in": traffic(norm) + gram(hidden) + gptq(heads, hidden),
        "attention-out": product(heads * hidden) + traffic(6 * heads) + attention + gram(hidden) + gptq(hidden, hidden),
        "mlp-in": product(hidden ** 2) + traffic(residual + norm) + gram(hidden) + gptq(2 * wide, hidden),
        "mlp-out": product(2 * wide * hidden) + traffic(10 * wide) + gram(wide) + gptq(hidden, wide),
        "rest of layer": product(wide * hidden) + traffic(residual),
    }
    return {stage: seconds * config["num_hidden_layers"] for stage, seconds in layer.items()}


def spans(trace, belongs):
    """Seconds of the spans by name on the rows of the timeline that belong, numbers of layers left out."""
    rows = {event["tid"]: event["args"].get("name", "") for event in trace["traceEvents"] if event["ph"] == "M"}
    seconds = {}
    for event in trace["traceEvents"]:
        if event["ph"] == "X" and belongs(rows[event["tid"]]):
            name = re.sub(r"layer \d+", "layer", event["name"])
            seconds[name] = seconds.get(name, 0) + event["dur"] / 1e6
    return seconds


def print_longest(title, seconds, whole):
    longest = sorted(seconds.items(), key=lambda entry: -entry[1])[:LONGEST]
    print(table((title, "s", "of the run"), *(
        (name, number(value), f"{100 * value / whole:.1f} %") for name, value in longest)))


def print_outcomes(folder):
    print("## Steps\n")
    lines = (folder / "steps.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.replace("|", "/").split("\t") for line in lines]
    print(table(("step", "outcome", "seconds", "result"), *rows))


def print_selftest(result):
    print("## Self-test\n")
    if result is None:
        print("No result.\n")
        return
    failed = [finding for finding in result["findings"] if not finding["ok"]]
    print(f"{result['device']['name']} ({result['device']['architecture']}, driver {result['device']['driver'] or '-'}), "
          f"products by {result['products']}: {len(result['findings'])} kernels and services, {len(failed)} failed.\n")
    for finding in failed:
        print(f"* {finding['name']}: {finding['failure']}")


def print_bench(result):
    print("## Bench\n")
    if result is None:
        print("No result.\n")
        return
    rates = result["rates"]
    print(f"Measured rates: copy {rates['bytes_per_second'] / 1e12:.3g} TB/s, float32 "
          f"{rates['float32_per_second'] / 1e12:.3g} TFLOP/s, half {rates['half_per_second'] / 1e12:.3g} TFLOP/s; products by "
          f"{result['products']}. One layer of {result['layer']}: {result['layer_seconds']:.3g} s.\n")
    for kind in ("steps", "attention", "kernels"):
        print(table((kind, "shape", "ms", "floor ms", "times the floor"), *(
            (entry["name"], entry["shape"], number(entry["seconds"] * 1e3), number(entry["floor_seconds"] * 1e3),
             number(entry["ratio"]) if entry["ratio"] else "-") for entry in result[kind])))


def print_pytorch(result):
    print("## The same steps in plain PyTorch\n")
    if result is None:
        print("No result.\n")
        return
    print(f"PyTorch {result['torch']} on {result['device']}. A ratio above 1 says how many times as long PyTorch takes.\n")
    print(table(("step", "PyTorch ms", "gpuquant ms", "ratio"), *(
        (step["name"], *(number(seconds * 1e3) if seconds else "-"
                         for seconds in (step["pytorch_seconds"], step["gpuquant_seconds"])),
         ratio(step["pytorch_seconds"], step["gpuquant_seconds"])) for step in result["steps"])))


def print_quantization(command, result, trace, config, bench):
    print(f"## {command}\n")
    if result is None:
        print("No result.\n")
        return
    calibration = result["calibration"]
    print(f"{len(result['linears'])} linears with {calibration['sequences_used']} sequences of "
          f"{calibration['sequence_length']} tokens: {result['seconds']:.1f} s, at most {result['peak_device_bytes'] / 1e9:.2f} GB of "
          f"device memory, {result['verified_tensors']} tensors verified.\n")
    if trace is None:
        print("No timeline.\n")
        return
    took = spans(trace, lambda row: row == "thread main")
    if trace["spansLeftOut"]:
        print(f"The timeline leaves out {trace['spansLeftOut']} spans: times of stages are too small.\n")
    if command == "gptq" and bench and config:
        floor = floors(config, bench["rates"], calibration["sequences_used"], calibration["sequence_length"])
        parts = {stage: took.get("inputs of " + stage, 0) + took.get("quantize " + stage, 0) for stage in STAGES}
        parts["rest of layer"] = took.get("layer", 0) - sum(parts.values())
        rows = [(stage, number(parts[stage]), number(floor[stage]), ratio(parts[stage], floor[stage])) for stage in floor]
        outside, total = result["seconds"] - took.get("layer", 0), sum(floor.values())
        print(table(("stage, all layers", "s", "floor s", "times the floor"), *rows,
                    ("outside of layers", number(outside), "-", "-"),
                    ("whole run", number(result["seconds"]), number(total), ratio(result["seconds"], total))))
    print_longest("span of the program", took, result["seconds"])
    print_longest("work of the device", spans(trace, lambda row: row and not row.startswith("thread")), result["seconds"])


def main():
    folder = pathlib.Path(sys.argv[1])
    bench = read(folder, "bench.json")
    print("# gpuquant on this machine\n")
    print_outcomes(folder)
    print_selftest(read(folder, "selftest.json"))
    for command in ("gptq", "awq"):
        print_quantization(command, read(folder, command + ".json"), read(folder, command + "-trace.json"),
                           read(folder, "model-config.json"), bench)
    print_pytorch(read(folder, "pytorch.json"))
    print_bench(bench)
    print("```\n" + (folder / "versions.txt").read_text(encoding="utf-8").strip() + "\n```")


if __name__ == "__main__":
    main()
