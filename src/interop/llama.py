"""A Llama in NumPy, float32, no cache: a reference to compare perplexities with."""
import numpy as np


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(eps)) * weight


def rotate(x, theta):
    """Rotary embedding of [heads, tokens, width], halves rotated against each other."""
    half = x.shape[-1] // 2
    frequencies = theta ** (-np.arange(half) / half)
    angles = np.outer(np.arange(x.shape[1]), frequencies)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    left, right = x[..., :half], x[..., half:]
    return np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_probabilities(config, weights, ids):
    """Natural logarithms of the probabilities of ids[1:], given what stands before each."""
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
    eps = config["rms_norm_eps"]
    tokens = len(ids)
    mask = np.triu(np.full((tokens, tokens), -np.inf, dtype=np.float32), 1)
    h = weights["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        w = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        x = rms_norm(h, w("input_layernorm"), eps)
        split = lambda y, n: y.reshape(tokens, n, width).transpose(1, 0, 2)
        q = rotate(split(x @ w("self_attn.q_proj").T, heads), theta)
        k = rotate(split(x @ w("self_attn.k_proj").T, kv_heads), theta).repeat(heads // kv_heads, axis=0)
        v = split(x @ w("self_attn.v_proj").T, kv_heads).repeat(heads // kv_heads, axis=0)
        attention = softmax(q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(width)) + mask) @ v
        h = h + attention.transpose(1, 0, 2).reshape(tokens, heads * width) @ w("self_attn.o_proj").T
        x = rms_norm(h, w("post_attention_layernorm"), eps)
        gate = x @ w("mlp.gate_proj").T
        h = h + (gate / (1 + np.exp(-gate)) * (x @ w("mlp.up_proj").T)) @ w("mlp.down_proj").T
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    logits = (rms_norm(h, weights["model.norm.weight"], eps) @ head.T)[:-1].astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    return logits[np.arange(tokens - 1), ids[1:]] - np.log(np.exp(logits).sum(axis=-1))
