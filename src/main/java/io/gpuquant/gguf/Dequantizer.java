package io.gpuquant.gguf;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Blocks into the weights they stand for, in float32 with the roundings of ggml's reference. Shares no code with the quantizers.
 */
public final class Dequantizer {

    private Dequantizer() {}

    /** Decodes one block. */
    interface BlockDecoder {

        /**
         * Decodes.
         *
         * @param data holds the block at byte {@code at}
         * @param weights gets the block's weights at {@code to}
         */
        void decode(MemorySegment data, long at, float[] weights, int to);
    }

    /**
     * Decodes blocks, as many as fill the array.
     *
     * @param blocks bytes of a tensor of this type; those behind the blocks that are wanted do not matter
     * @param weights gets the weights; its length is a multiple of the type's block size
     * @throws IllegalArgumentException if blocks do not fill the array, or are not all there
     */
    public static void dequantize(GgmlType type, MemorySegment blocks, float[] weights) {
        if (!type.divides(weights.length) || blocks.byteSize() < type.bytes(weights.length)) {
            throw new IllegalArgumentException(
                    blocks.byteSize() + " bytes of " + type + " are not " + weights.length + " weights");
        }
        BlockDecoder decoder = decoder(type);
        long at = 0;
        for (int to = 0; to < weights.length; to += type.blockSize()) {
            decoder.decode(blocks, at, weights, to);
            at += type.blockBytes();
        }
    }

    private static BlockDecoder decoder(GgmlType type) {
        return switch (type) {
            case F32 -> (data, at, weights, to) -> weights[to] = data.get(Elements.FLOAT, at);
            case F16 -> (data, at, weights, to) -> weights[to] = half(data, at);
            case BF16 -> (data, at, weights, to) -> weights[to] = Elements.floatAt(data, DType.BF16, at / 2);
            case Q8_0 -> LegacyDecoders::q8;
            case Q4_0 -> LegacyDecoders::q4Symmetric;
            case Q4_1 -> LegacyDecoders::q4Affine;
            case Q5_0 -> LegacyDecoders::q5Symmetric;
            case Q5_1 -> LegacyDecoders::q5Affine;
            case IQ4_NL -> LegacyDecoders::iq4;
            case Q2_K -> SuperBlockDecoders::q2;
            case Q3_K -> SuperBlockDecoders::q3;
            case Q4_K -> SuperBlockDecoders::q4;
            case Q5_K -> SuperBlockDecoders::q5;
            case Q6_K -> SuperBlockDecoders::q6;
            case IQ4_XS -> SuperBlockDecoders::iq4;
        };
    }

    /** A float16. */
    static float half(MemorySegment data, long at) {
        return Float.float16ToFloat(data.get(Elements.SHORT, at));
    }

    /** An unsigned byte. */
    static int unsigned(MemorySegment data, long at) {
        return data.get(ValueLayout.JAVA_BYTE, at) & 0xff;
    }

    /** A signed byte. */
    static int signed(MemorySegment data, long at) {
        return data.get(ValueLayout.JAVA_BYTE, at);
    }
}
