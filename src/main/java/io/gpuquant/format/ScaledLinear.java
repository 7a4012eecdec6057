package io.gpuquant.format;

import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * A linear whose elements are numbers by themselves: {@code weight = element * scale of its tile}.
 *
 * @param in input features
 * @param out output features
 * @param type of the elements
 * @param codes a byte each, [out, in]; of E2M1 two in a byte, the first in the low nibble
 */
public record ScaledLinear(int in, int out, ElementType type, HostTensor codes, Scales scales)
        implements ElementLinear {

    /**
     * The scales of tiles.
     *
     * @param values [tiles down, tiles across], row by row
     * @param type of values that are codes: E4M3 or E8M0; empty for those of F32, F16 and BF16
     * @param tileRows output features of a tile
     * @param tileColumns input features of a tile
     * @param divisor what the values are divided by
     */
    public record Scales(HostTensor values, Optional<ElementType> type, int tileRows, int tileColumns, float divisor) {

        /** One scale. */
        public float at(long index) {
            float value = type.isPresent()
                    ? type.get().value(values.data().get(ValueLayout.JAVA_BYTE, index) & 0xff)
                    : Elements.floatAt(values.data(), values.dtype(), index);
            return value / divisor;
        }

        /** All of them. */
        public float[] toFloats() {
            float[] all = new float[Math.toIntExact(values.shape().elementCount())];
            for (int i = 0; i < all.length; i++) {
                all[i] = at(i);
            }
            return all;
        }
    }

    /** Tiles in a row. */
    public int across() {
        return Math.ceilDiv(in, scales.tileColumns());
    }

    /** The code of a weight. */
    int code(int outputFeature, int inputFeature) {
        MemorySegment bytes = codes.data();
        long index = (long) outputFeature * in + inputFeature;
        if (type != ElementType.E2M1) {
            return bytes.get(ValueLayout.JAVA_BYTE, index) & 0xff;
        }
        return bytes.get(ValueLayout.JAVA_BYTE, index / 2) >> (index % 2 == 0 ? 0 : 4) & 15;
    }

    @Override
    public float weight(int outputFeature, int inputFeature) {
        long tile = (long) (outputFeature / scales.tileRows()) * across() + inputFeature / scales.tileColumns();
        return type.value(code(outputFeature, inputFeature)) * scales.at(tile);
    }

    @Override
    public float[] scaleValues() {
        return scales.toFloats();
    }

    @Override
    public Optional<String> fault() {
        long count = scales.values().shape().elementCount();
        for (long i = 0; i < count; i++) {
            float scale = scales.at(i);
            if (!(scale >= 0) || !Float.isFinite(scale)) {
                return Optional.of(scales.values().name() + " holds the scale " + scale + " at element " + i);
            }
        }
        if (type == ElementType.E4M3) {
            for (long i = 0; i < codes.byteSize(); i++) {
                if ((codes.data().get(ValueLayout.JAVA_BYTE, i) & 0x7f) == 0x7f) {
                    return Optional.of(codes.name() + " holds a NaN at element " + i);
                }
            }
        }
        return Optional.empty();
    }
}
