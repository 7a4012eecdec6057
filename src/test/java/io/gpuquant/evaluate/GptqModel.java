package io.gpuquant.evaluate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.model.RandomModel;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;

/**
 * A model with linears of random codes, scales, zero points and groups, twice: packed as a GPTQ checkpoint, and multiplied
 * out as float32.
 */
record GptqModel(RandomModel packed, RandomModel dense) {

    /** Replaces those linears of a model that {@code quantized} picks by the names of their weights. */
    static GptqModel of(RandomModel model, GptqScheme scheme, Predicate<String> quantized, long seed) {
        RandomGenerator random = new SplittableRandom(seed);
        RandomModel packed = new RandomModel(config(model, scheme), model.tensors());
        RandomModel dense = model;
        for (HostTensor tensor : model.tensors()) {
            if (tensor.name().contains("_proj.weight") && quantized.test(tensor.name())) {
                Linear linear = Linear.draw(random, tensor, scheme);
                packed = packed.with(tensor.name(), linear.packed());
                dense = dense.with(tensor.name(), List.of(linear.dense(tensor.name())));
            }
        }
        return new GptqModel(packed, dense);
    }

    private static ObjectNode config(RandomModel model, GptqScheme scheme) {
        ObjectNode config = model.config().deepCopy();
        config.putObject("quantization_config")
                .put("quant_method", "gptq")
                .put("bits", scheme.bits())
                .put("group_size", scheme.groupSize())
                .put("sym", scheme.symmetric())
                .put("desc_act", scheme.descAct())
                .put("checkpoint_format", scheme.version().formatName());
        return config;
    }

    /**
     * One linear.
     *
     * @param codes [out][in]
     * @param zeros [groups][out]
     * @param scales [groups][out], float16
     * @param groups [in]
     */
    private record Linear(
            String name, GptqScheme scheme, int[][] codes, int[][] zeros, float[][] scales, int[] groups) {

        static Linear draw(RandomGenerator random, HostTensor weight, GptqScheme scheme) {
            int out = (int) weight.shape().extent(0);
            int in = (int) weight.shape().extent(1);
            int levels = 1 << scheme.bits();
            int[][] zeros = new int[scheme.groups(in)][out];
            float[][] scales = new float[zeros.length][out];
            for (int group = 0; group < zeros.length; group++) {
                for (int o = 0; o < out; o++) {
                    zeros[group][o] = scheme.symmetric() ? levels / 2 : random.nextInt(levels);
                    scales[group][o] = Float.float16ToFloat(
                            Float.floatToFloat16((float) (random.nextDouble(0.5, 4) / levels / Math.sqrt(in))));
                }
            }
            int[][] codes = new int[out][in];
            for (int[] row : codes) {
                for (int i = 0; i < in; i++) {
                    row[i] = random.nextInt(levels);
                }
            }
            String name = weight.name().substring(0, weight.name().length() - ".weight".length());
            return new Linear(name, scheme, codes, zeros, scales, groups(random, in, scheme));
        }

        private static int[] groups(RandomGenerator random, int in, GptqScheme scheme) {
            int[] groups = new int[in];
            for (int i = 0; i < in; i++) {
                groups[i] = i / scheme.groupSize(in);
            }
            for (int i = in - 1; scheme.descAct() && i > 0; i--) {
                int other = random.nextInt(i + 1);
                int moved = groups[i];
                groups[i] = groups[other];
                groups[other] = moved;
            }
            return groups;
        }

        HostTensor dense(String tensor) {
            float[] values = new float[codes.length * groups.length];
            for (int o = 0; o < codes.length; o++) {
                for (int i = 0; i < groups.length; i++) {
                    int group = groups[i];
                    values[o * groups.length + i] = scales[group][o] * (codes[o][i] - zeros[group][o]);
                }
            }
            return TestCheckpoints.tensor(tensor, DType.F32, Shape.of(codes.length, groups.length), values);
        }

        List<HostTensor> packed() {
            int bits = scheme.bits();
            int out = codes.length;
            int in = groups.length;
            HostTensor weights = words(name + ".qweight", in * bits / 32, out);
            for (int o = 0; o < out; o++) {
                for (int i = 0; i < in; i++) {
                    put(weights, o, out, i, codes[o][i]);
                }
            }
            HostTensor zeroPoints = words(name + ".qzeros", zeros.length, out * bits / 32);
            float[] flatScales = new float[zeros.length * out];
            for (int group = 0; group < zeros.length; group++) {
                for (int o = 0; o < out; o++) {
                    int stored = zeros[group][o] - scheme.version().storedOffset() & (1 << bits) - 1;
                    put(zeroPoints, group * out * bits / 32, 1, o, stored);
                    flatScales[group * out + o] = scales[group][o];
                }
            }
            HostTensor features = words(name + ".g_idx", in);
            for (int i = 0; i < in; i++) {
                features.data().set(Elements.INT, (long) i * Integer.BYTES, groups[i]);
            }
            return new ArrayList<>(List.of(
                    weights,
                    zeroPoints,
                    TestCheckpoints.tensor(name + ".scales", DType.F16, Shape.of(zeros.length, out), flatScales),
                    features));
        }

        /** Writes value {@code index} of the bit stream that begins at {@code first} and goes on every {@code stride} words. */
        private void put(HostTensor words, int first, int stride, int index, int value) {
            for (int bit = 0; bit < scheme.bits(); bit++) {
                int position = index * scheme.bits() + bit;
                long address = (long) Integer.BYTES * (first + position / 32 * stride);
                int word = words.data().get(Elements.INT, address);
                words.data().set(Elements.INT, address, word | (value >>> bit & 1) << position % 32);
            }
        }

        private static HostTensor words(String name, long... extents) {
            Shape shape = Shape.of(extents);
            return new HostTensor(
                    name,
                    DType.I32,
                    shape,
                    MemorySegment.ofArray(new byte[(int) shape.elementCount() * Integer.BYTES]));
        }
    }
}
