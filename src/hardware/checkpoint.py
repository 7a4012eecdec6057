"""Writes a checkpoint of random bfloat16 weights in the shapes of a real model, and text to calibrate it with.

Usage: checkpoint.py FOLDER [--shape llama-3-8b|tiny] [--tokens N] [--seed N]. Weights are drawn on the GPU if PyTorch sees one, else on
the processor by PyTorch or NumPy; the tokenizer is the demo model's, whose tokens are the first of the vocabulary. Beside the
checkpoint lies calibration.jsonl: words of the calibration text in random order, enough for N tokens.
"""
import argparse
import json
import pathlib
import random
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKENIZER = ROOT / "datasets/demo-llama"
SHARD_BYTES = 5_000_000_000

SHAPES = {
    "llama-3-8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                       num_key_value_heads=8, vocab_size=128256, max_position_embeddings=8192, rope_theta=500000.0),
    "tiny": dict(hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, vocab_size=1024, max_position_embeddings=2048, rope_theta=10000.0),
}


def source(seed):
    """A function of a shape, a mean and a standard deviation that draws as many bfloat16 numbers and gives their bytes."""
    try:
        import torch
    except ImportError:
        import numpy
        generator = numpy.random.default_rng(seed)

        def draw(shape, mean, deviation):
            values = generator.standard_normal(shape, dtype=numpy.float32) * numpy.float32(deviation) + numpy.float32(mean)
            # The upper half of a float32, rounded.
            return ((values.view(numpy.uint32) + 0x8000) >> 16).astype("<u2").data
        return draw

    import ctypes
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator(device).manual_seed(seed)

    def draw(shape, mean, deviation):
        values = torch.randn(shape, generator=generator, device=device, dtype=torch.bfloat16)
        drawn = values.mul_(deviation).add_(mean).cpu()
        view = (ctypes.c_char * (2 * drawn.numel())).from_address(drawn.data_ptr())
        view.tensor = drawn  # Whose memory it shows.
        return view
    return draw


def tensors(config):
    """Names and shapes, in the order of the files."""
    hidden, wide, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    keys = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (hidden,)
        for name, rows in dict(q=hidden, k=keys, v=keys, o=hidden).items():
            yield f"{layer}self_attn.{name}_proj.weight", (rows, hidden)
        yield layer + "post_attention_layernorm.weight", (hidden,)
        yield layer + "mlp.gate_proj.weight", (wide, hidden)
        yield layer + "mlp.up_proj.weight", (wide, hidden)
        yield layer + "mlp.down_proj.weight", (hidden, wide)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocabulary, hidden)


def size(shape):
    count = 2
    for length in shape:
        count *= length
    return count


def shards(specs):
    """Tensors by file, each file of at most SHARD_BYTES."""
    files, filled = [[]], 0
    for name, shape in specs:
        if filled and filled + size(shape) > SHARD_BYTES:
            files.append([])
            filled = 0
        files[-1].append((name, shape))
        filled += size(shape)
    return files


def write_shard(path, specs, draw):
    """A safetensors file: the length of its header, the header, the tensors one after another."""
    header, at = {}, 0
    for name, shape in specs:
        header[name] = dict(dtype="BF16", shape=list(shape), data_offsets=[at, at + size(shape)])
        at += size(shape)
    text = json.dumps(dict(__metadata__=dict(format="pt"), **header)).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in specs:
            norm = len(shape) == 1
            file.write(draw(shape, 1.0 if norm else 0.0, 0.02 if norm else shape[1] ** -0.5))


def write_text(path, tokens, seed):
    """Four characters for each token are enough for the demo's tokenizer, which makes one of two."""
    with open(ROOT / "datasets/calibration.jsonl", encoding="utf-8") as lines:
        words = [word for line in lines for word in json.loads(line)["text"].split()]
    order, written = random.Random(seed), 0
    with open(path, "w", encoding="utf-8") as file:
        while written < 4 * tokens:
            text = " ".join(order.choices(words, k=1000))
            file.write(json.dumps(dict(text=text), ensure_ascii=False) + "\n")
            written += len(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--shape", choices=SHAPES, default="llama-3-8b")
    parser.add_argument("--tokens", type=int, default=128 * 2048)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", rms_norm_eps=1e-5,
                  tie_word_embeddings=False, torch_dtype="bfloat16", bos_token_id=0, eos_token_id=1, **SHAPES[options.shape])
    (options.folder / "config.json").write_text(json.dumps(config, indent=1))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(TOKENIZER / name, options.folder)
    files, draw, places = shards(tensors(config)), source(options.seed), {}
    for i, specs in enumerate(files, 1):
        name = f"model-{i:05}-of-{len(files):05}.safetensors"
        write_shard(options.folder / name, specs, draw)
        places.update((tensor, name) for tensor, _ in specs)
    total = sum(size(shape) for specs in files for _, shape in specs)
    (options.folder / "model.safetensors.index.json").write_text(
        json.dumps(dict(metadata=dict(total_size=total), weight_map=places), indent=1))
    write_text(options.folder / "calibration.jsonl", options.tokens, options.seed)
    print(f"{options.folder}: {total / 1e9:.3g} GB of weights in {len(files)} files")


if __name__ == "__main__":
    main()
