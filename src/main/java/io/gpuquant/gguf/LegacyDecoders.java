package io.gpuquant.gguf;

import static io.gpuquant.gguf.Dequantizer.half;
import static io.gpuquant.gguf.Dequantizer.signed;
import static io.gpuquant.gguf.Dequantizer.unsigned;

import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;

/** Blocks of 32 weights with one scale. */
final class LegacyDecoders {

    private static final int SIZE = 32;

    private LegacyDecoders() {}

    static void q8(MemorySegment data, long at, float[] weights, int to) {
        float scale = half(data, at);
        for (int i = 0; i < SIZE; i++) {
            weights[to + i] = signed(data, at + 2 + i) * scale;
        }
    }

    static void q4Symmetric(MemorySegment data, long at, float[] weights, int to) {
        float scale = half(data, at);
        for (int i = 0; i < SIZE; i++) {
            weights[to + i] = (nibble(data, at + 2, i) - 8) * scale;
        }
    }

    static void q4Affine(MemorySegment data, long at, float[] weights, int to) {
        float scale = half(data, at);
        float min = half(data, at + 2);
        for (int i = 0; i < SIZE; i++) {
            weights[to + i] = nibble(data, at + 4, i) * scale + min;
        }
    }

    static void q5Symmetric(MemorySegment data, long at, float[] weights, int to) {
        float scale = half(data, at);
        int upper = data.get(Elements.INT, at + 2);
        for (int i = 0; i < SIZE; i++) {
            weights[to + i] = (nibble(data, at + 6, i) + (upper >>> i & 1) * 16 - 16) * scale;
        }
    }

    static void q5Affine(MemorySegment data, long at, float[] weights, int to) {
        float scale = half(data, at);
        float min = half(data, at + 2);
        int upper = data.get(Elements.INT, at + 4);
        for (int i = 0; i < SIZE; i++) {
            weights[to + i] = (nibble(data, at + 8, i) + (upper >>> i & 1) * 16) * scale + min;
        }
    }

    static void iq4(MemorySegment data, long at, float[] weights, int to) {
        codebook(data, at + 2, half(data, at), weights, to);
    }

    /** 32 weights from 16 bytes of levels. */
    static void codebook(MemorySegment data, long at, float scale, float[] weights, int to) {
        for (int i = 0; i < SIZE; i++) {
            weights[to + i] = scale * Codebook.value(nibble(data, at, i));
        }
    }

    /** The lower half of byte i for the first sixteen, the upper half of byte i - 16 for the others. */
    private static int nibble(MemorySegment data, long at, int i) {
        return unsigned(data, at + i % 16) >> (i < 16 ? 0 : 4) & 15;
    }
}
