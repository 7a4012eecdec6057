"""Loads checkpoints in the engines people use, on the processor, and compares their predictions with gpuquant's."""
import gc
import json
import os

import numpy as np

# Half-precision kernels of the engines and sums in another order: what they may differ by, as |difference of log-probability|. A
# token for which two experts are equally good may go to the other one; so the worst is that of 99 of 100.
MEAN_TOLERANCE = 5e-3
WORST_TOLERANCE = 0.1

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Compiling a kernel takes longer than running it uncompiled on these few tokens.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")


def versions(*packages):
    from importlib import metadata
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def load_in_transformers(folder):
    import torch
    import transformers
    model, found = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, device_map="cpu", output_loading_info=True)
    # It makes up what it does not find, and only warns: version 5 looks for the experts of a layer in one tensor.
    if found["missing_keys"]:
        raise ValueError(f"{len(found['missing_keys'])} weights are not found, such as {min(found['missing_keys'])}")
    return model


def load_in_gptqmodel(folder):
    import torch
    from gptqmodel import BACKEND, GPTQModel
    quantized = json.loads((folder / "config.json").read_text())["quantization_config"]
    backend = BACKEND.AWQ_TORCH if quantized["quant_method"] == "awq" else BACKEND.GPTQ_TORCH
    # Its kernels on a processor take no float32.
    return GPTQModel.load(str(folder), device="cpu", backend=backend, dtype=torch.float16).model


LOADERS = {"transformers": load_in_transformers, "gptqmodel": load_in_gptqmodel}


def kernels(model):
    """The classes of the linears that are quantized."""
    return ", ".join(sorted({type(module).__name__ for module in model.modules() if hasattr(module, "qweight")}))


def log_probabilities(model, windows):
    import torch
    rows = []
    with torch.no_grad():
        for window in windows:
            logits = model(torch.tensor(window)[None]).logits[0, :-1].double()
            scores = torch.log_softmax(logits, dim=-1)
            rows.append(scores[torch.arange(len(window) - 1), torch.tensor(window[1:])].numpy())
    return np.array(rows)


def read_log_probabilities(file, windows):
    """What gpuquant wrote with ppl --logprobs, [windows, length - 1]."""
    ours = np.full((len(windows), windows.shape[1] - 1), np.nan)
    for line in file.read_text().splitlines():
        entry = json.loads(line)
        if entry["sequence"] < len(windows):
            ours[entry["sequence"], entry["position"] - 1] = entry["logprob"]
    return ours


def check(report, not_run, engine, name, folder, ours, windows):
    """One checkpoint in one engine."""
    label = f"{name} in {engine}"
    try:
        model = LOADERS[engine](folder)
    except Exception as failure:
        reason = (str(failure).strip().splitlines() or [""])[0]
        not_run(label, f"it does not load here ({type(failure).__name__}: {reason[:300]})")
        return
    used = kernels(model)
    if not used:
        report(label, False, "no linear of it is quantized there")
        return
    difference = np.abs(log_probabilities(model, windows) - ours)
    report(label, difference.mean() < MEAN_TOLERANCE and np.quantile(difference, 0.99) < WORST_TOLERANCE,
           f"{difference.size} log-probabilities differ by {difference.mean():.2g} on average, {difference.max():.2g} at"
           f" most; kernel {used}")
    del model
    gc.collect()
