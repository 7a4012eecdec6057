"""A GPTQ checkpoint into dense float32 weights, from the published layout alone: NumPy and nothing of gpuquant."""
import json
import pathlib

import numpy as np
from safetensors.numpy import load_file


def load_tensors(folder):
    """All tensors of a checkpoint, single file or sharded."""
    tensors = {}
    for file in sorted(pathlib.Path(folder).glob("*.safetensors")):
        tensors.update(load_file(file))
    return tensors


def unpack(words, bits):
    """Unsigned fields of a little-endian bit stream that runs down each column of 32-bit words."""
    rows, columns = words.shape
    stream = np.ascontiguousarray(words.T).view(np.uint8)
    flat = np.unpackbits(stream, axis=1, bitorder="little").reshape(columns, rows * 32 // bits, bits)
    return (flat.astype(np.int64) << np.arange(bits)).sum(axis=2).T


def dequantize(tensors, name, bits, version):
    """The weight of a linear, [out, in]: w[k, n] = scale[g, n] * (code[k, n] - zero[g, n]) with g = g_idx[k]."""
    codes = unpack(tensors[name + ".qweight"], bits)
    zeros = unpack(np.ascontiguousarray(tensors[name + ".qzeros"].T), bits).T
    if version != "gptq_v2":
        zeros = zeros + 1
    scales = tensors[name + ".scales"].astype(np.float32)
    groups = tensors[name + ".g_idx"]
    zeros = zeros[:, : scales.shape[1]]
    return ((codes - zeros[groups]).astype(np.float32) * scales[groups]).T


def load_dense(folder):
    """The weights that an engine computes with, by their names before quantization, in float32."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    tensors = load_tensors(folder)
    quantization = config.get("quantization_config")
    dense = {}
    for name, value in tensors.items():
        if name.endswith(".qweight"):
            linear = name.removesuffix(".qweight")
            version = quantization.get("checkpoint_format", "gptq")
            dense[linear + ".weight"] = dequantize(tensors, linear, quantization["bits"], version)
        elif not name.endswith((".qzeros", ".scales", ".g_idx")):
            dense[name] = value.astype(np.float32)
    return config, dense
