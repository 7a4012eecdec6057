"""A GPTQ or AWQ checkpoint into dense float32 weights, from the published layout alone: NumPy and nothing of gpuquant."""
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


def dequantize_awq(tensors, name, version, group_size):
    """The weight of a linear, [out, in], from AWQ's four-bit layouts: w = (code - zero) * scale."""
    words, zeros = tensors[name + ".qweight"].view(np.uint32), tensors[name + ".qzeros"].view(np.uint32)
    scales = tensors[name + ".scales"].astype(np.float32)
    if version == "gemm":
        # Nibble i of a word holds output 8 c + order[i].
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        spread = lambda x: np.stack(
            [x >> np.uint32(4 * order.index(j)) & np.uint32(15) for j in range(8)], axis=-1).reshape(len(x), -1)
        codes, zeros = spread(words).T.astype(np.int64), spread(zeros).T.astype(np.int64)
        scales = scales.T
    else:
        spread = lambda x: np.stack(
            [x >> np.uint32(4 * j) & np.uint32(15) for j in range(8)], axis=-1).reshape(len(x), -1)
        codes, zeros = spread(words).astype(np.int64), spread(zeros).astype(np.int64)
    inputs = codes.shape[1]
    groups = np.arange(inputs) // group_size
    return (codes - zeros[:, groups]).astype(np.float32) * scales[:, groups]


def load_dense(folder):
    """The weights that an engine computes with, by their names before quantization, in float32."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    tensors = load_tensors(folder)
    quantization = config.get("quantization_config")
    dense = {}
    for name, value in tensors.items():
        if name.endswith(".qweight"):
            linear = name.removesuffix(".qweight")
            if quantization["quant_method"] == "awq":
                group_size = quantization["group_size"]
                dense[linear + ".weight"] = dequantize_awq(tensors, linear, quantization["version"], group_size)
            else:
                version = quantization.get("checkpoint_format", "gptq")
                dense[linear + ".weight"] = dequantize(tensors, linear, quantization["bits"], version)
        elif not name.endswith((".qzeros", ".scales", ".g_idx")):
            dense[name] = value.astype(np.float32)
    return config, dense
