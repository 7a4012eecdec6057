package io.gpuquant.format;

import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A linear of four bits of bitsandbytes: {@code weight = table[code] * absmax of its block}, blocks running over the rows one
 * after another.
 *
 * @param in input features
 * @param out output features
 * @param blockSize weights of a block
 * @param codes two in a byte, the first in the high nibble
 * @param table F32 [16]
 * @param absmax F32 [blocks], or U8 where it is quantized itself
 * @param nested how it is; null where it is not
 */
public record TableLinear(
        int in,
        int out,
        int blockSize,
        HostTensor codes,
        HostTensor table,
        HostTensor absmax,
        @Nullable Nested nested) implements ElementLinear {

    /**
     * The second quantization: {@code absmax = table[code] * absmax of its block + offset}.
     *
     * @param table F32 [256]
     * @param absmax F32 [blocks]
     * @param blockSize values of a block
     */
    public record Nested(HostTensor table, HostTensor absmax, int blockSize, float offset) {}

    /** The largest magnitude in a block. */
    public float absmax(long block) {
        if (nested == null) {
            return Elements.floatAt(absmax.data(), absmax.dtype(), block);
        }
        int code = absmax.data().get(ValueLayout.JAVA_BYTE, block) & 0xff;
        float scale = Elements.floatAt(nested.absmax().data(), nested.absmax().dtype(), block / nested.blockSize());
        return Elements.floatAt(nested.table().data(), nested.table().dtype(), code) * scale + nested.offset();
    }

    @Override
    public float[] scaleValues() {
        float[] all = new float[Math.toIntExact(absmax.shape().elementCount())];
        for (int i = 0; i < all.length; i++) {
            all[i] = absmax(i);
        }
        return all;
    }

    @Override
    public float weight(int outputFeature, int inputFeature) {
        long index = (long) outputFeature * in + inputFeature;
        int code = codes.data().get(ValueLayout.JAVA_BYTE, index / 2) >> (index % 2 == 0 ? 4 : 0) & 15;
        return Elements.floatAt(table.data(), table.dtype(), code) * absmax(index / blockSize);
    }

    @Override
    public Optional<String> fault() {
        for (int i = 0; i < 16; i++) {
            float value = Elements.floatAt(table.data(), table.dtype(), i);
            if (!(Math.abs(value) <= 1)) {
                return Optional.of(table.name() + " holds " + value + " at element " + i);
            }
        }
        long count = absmax.shape().elementCount();
        for (long i = 0; i < count; i++) {
            float scale = absmax(i);
            // What a second quantization takes from a small value may make it negative.
            if (!Float.isFinite(scale) || nested == null && scale < 0) {
                return Optional.of(absmax.name() + " holds the scale " + scale + " at element " + i);
            }
        }
        return Optional.empty();
    }
}
