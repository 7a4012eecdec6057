"""Checks the model families against transformers: the small models of the tests and others of unusual shapes, as they are and quantized.

Usage: families.py GPUQUANT [NAME...], where NAME picks some of them.
"""
import json
import pathlib
import shutil
import subprocess
import sys

import engines
import small_models
from results import end, not_run, report

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = ROOT / "datasets/validation.jsonl"
WORK = ROOT / "target/interop-output/families"
LENGTH = 96
SEQUENCES = 3
CALIBRATION = ["--calibration", str(ROOT / "datasets/calibration.jsonl"), "--sequence-length", "64", "--samples", "8"]

# float32 on both sides: what sums in another order may change, relative to how much log-probabilities vary.
ORIGINAL_TOLERANCE = 2e-3

QUANTIZED = {
    "gptq-4bit-g32": ["gptq", "--group-size", "32", *CALIBRATION],
    "awq-4bit-g32": ["awq", "--group-size", "32", "--grid", "4", "--no-clip", *CALIBRATION],
}

# Of what it does not find, it makes up some and refuses some.
NOT_IN_GPTQMODEL = {
    "mixtral": "it looks for experts under other names than those that Mixtral's checkpoints have",
    "phi3": "it looks for other tensors than the fused ones that Phi-3's checkpoints have",
}

# Shapes that no model of the tests has: its name, what differs, the type of the weights, and the size of a shard.
SHAPES = {
    "llama-biases-one-kv-head": ("llama", dict(
        hidden_size=96, intermediate_size=160, num_attention_heads=6, num_key_value_heads=1, head_dim=16, vocab_size=301,
        tie_word_embeddings=True, attention_bias=True, mlp_bias=True), "bfloat16", "90KB"),
    "llama-odd-heads-float32": ("llama", dict(
        hidden_size=120, intermediate_size=184, num_attention_heads=5, num_key_value_heads=5, head_dim=24, vocab_size=259),
        "float32", "5GB"),
    "llama-linear-rope": ("llama", dict(rope_parameters=dict(
        rope_type="linear", rope_theta=10000.0, factor=4.0)), "float16", "5GB"),
    "llama-yarn": ("llama", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=64),
        max_position_embeddings=512), "float16", "5GB"),
    "llama-dynamic": ("llama", dict(rope_parameters=dict(
        rope_type="dynamic", rope_theta=10000.0, factor=4.0)), "float16", "5GB"),
    "mistral-no-window": ("mistral", dict(sliding_window=None, head_dim=40, num_key_value_heads=4), "bfloat16", "5GB"),
    "qwen2-untied": ("qwen2", dict(
        num_attention_heads=8, num_key_value_heads=4, vocab_size=277, tie_word_embeddings=False), "float16", "200KB"),
    "qwen3-wide-heads": ("qwen3", dict(head_dim=72, num_key_value_heads=1, tie_word_embeddings=True), "bfloat16", "5GB"),
    "gemma-many-kv-heads": ("gemma", dict(
        num_attention_heads=3, num_key_value_heads=3, head_dim=80, vocab_size=263), "bfloat16", "5GB"),
    "gemma2-other-scale": ("gemma2", dict(
        head_dim=48, query_pre_attn_scalar=100, sliding_window=9, num_hidden_layers=3, attn_logit_softcapping=7.0,
        final_logit_softcapping=5.0), "float32", "5GB"),
    "gemma3-five-layers": ("gemma3", dict(
        head_dim=56, num_hidden_layers=5, layer_types=[
            "full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
        sliding_window=11, vocab_size=270), "bfloat16", "5GB"),
    "phi3-odd-heads": ("phi3", dict(
        hidden_size=144, intermediate_size=208, num_attention_heads=6, num_key_value_heads=3, vocab_size=290),
        "bfloat16", "5GB"),
    "mixtral-three-of-five": ("mixtral", dict(num_local_experts=5, num_experts_per_tok=3), "bfloat16", "300KB"),
    "qwen3-moe-dense-first": ("qwen3-moe", dict(
        num_hidden_layers=3, mlp_only_layers=[0], num_experts=6, num_experts_per_tok=3, norm_topk_prob=False), "float16", "5GB"),
}

def run(gpuquant, *arguments):
    done = subprocess.run([gpuquant, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"gpuquant ended with {done.returncode}")


def windows():
    import numpy as np
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(WORK / "tokenizer.json"))
    ids = []
    with open(TEXT, encoding="utf-8") as lines:
        for line in lines:
            ids.extend(tokenizer.encode(json.loads(line)["text"]).ids)
            if len(ids) >= LENGTH * SEQUENCES:
                break
    return np.array(ids[:LENGTH * SEQUENCES]).reshape(-1, LENGTH)


def make_shape(name, folder):
    """Random weights whose predictions differ from token to token, norms and biases included."""
    import torch
    import transformers
    base, overrides, kind, shard = SHAPES[name]
    settings = small_models.config(base)
    for key in ("layer_types", "head_dim", "dtype", "torch_dtype"):
        settings.pop(key, None)
    settings.update(overrides)
    config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
    torch.manual_seed(20)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.dim() > 1:
                spread = 0.5 if "embed" in key else 1.5 / parameter.shape[-1] ** 0.5
                parameter.normal_(0.0, spread)
            elif key.endswith("bias"):
                parameter.normal_(0.0, 0.2)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.to(getattr(torch, kind)).save_pretrained(folder, max_shard_size=shard)
    small_models.add_tokenizer(folder)


def our_log_probabilities(gpuquant, folder, some):
    file = WORK / f"{folder.name}.logprobs"
    run(gpuquant, "ppl", folder, "--text", TEXT, "--sequence-length", LENGTH, "--tokens", some.size, "--quiet", "--logprobs", file)
    return engines.read_log_probabilities(file, some)


def check_original(gpuquant, folder, some):
    import numpy as np
    import torch
    import transformers
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    theirs = engines.log_probabilities(model, some)
    difference = np.abs(theirs - our_log_probabilities(gpuquant, folder, some))
    report(folder.name, difference.max() < ORIGINAL_TOLERANCE * theirs.std(),
           f"{difference.size} log-probabilities, whose standard deviation is {theirs.std():.2g}, differ by {difference.max():.2g} at most")


def check_quantized(gpuquant, folder, name, some):
    command, *options = QUANTIZED[name]
    out = WORK / f"{folder.name}-{name}"
    run(gpuquant, command, folder, "--out", out, "--quiet", *options)
    ours = our_log_probabilities(gpuquant, out, some)
    for engine in engines.LOADERS:
        if engine == "gptqmodel" and folder.name in NOT_IN_GPTQMODEL:
            not_run(f"{out.name} in {engine}", NOT_IN_GPTQMODEL[folder.name])
            continue
        engines.check(report, not_run, engine, out.name, out, ours, some)


def main():
    gpuquant, *chosen = sys.argv[1:]
    try:
        import tokenizers  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        not_run("model families", str(error))
        return
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    small_models.add_tokenizer(WORK)
    some = windows()
    for name in chosen or [*small_models.names(), *SHAPES]:
        folder = WORK / name
        try:
            if name in SHAPES:
                make_shape(name, folder)
            else:
                small_models.copy(name, folder)
            check_original(gpuquant, folder, some)
            if name not in SHAPES:
                for variant in QUANTIZED:
                    check_quantized(gpuquant, folder, variant, some)
        except Exception as failure:
            report(name, False, f"{type(failure).__name__}: {failure}")
    end()


if __name__ == "__main__":
    main()
