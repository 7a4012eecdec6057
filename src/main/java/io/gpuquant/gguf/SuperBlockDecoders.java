package io.gpuquant.gguf;

import static io.gpuquant.gguf.Dequantizer.half;
import static io.gpuquant.gguf.Dequantizer.signed;
import static io.gpuquant.gguf.Dequantizer.unsigned;

import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;

/** Blocks of 256 weights, each weight looked up on its own. */
final class SuperBlockDecoders {

    private static final int SIZE = 256;

    private SuperBlockDecoders() {}

    static void q2(MemorySegment data, long at, float[] weights, int to) {
        float unit = half(data, at + 80);
        float minUnit = half(data, at + 82);
        for (int i = 0; i < SIZE; i++) {
            int scales = unsigned(data, at + i / 16);
            weights[to + i] = unit * (scales & 15) * pairOfBits(data, at + 16, i) - minUnit * (scales >> 4);
        }
    }

    static void q3(MemorySegment data, long at, float[] weights, int to) {
        float unit = half(data, at + 108);
        for (int i = 0; i < SIZE; i++) {
            int group = i / 16;
            int lower = unsigned(data, at + 96 + group % 8) >> (group < 8 ? 0 : 4) & 15;
            int upper = unsigned(data, at + 104 + group % 4) >> 2 * (group / 4) & 3;
            int level = pairOfBits(data, at + 32, i) + (unsigned(data, at + i % 32) >> i / 32 & 1) * 4;
            weights[to + i] = unit * ((lower | upper << 4) - 32) * (level - 4);
        }
    }

    static void q4(MemorySegment data, long at, float[] weights, int to) {
        for (int i = 0; i < SIZE; i++) {
            weights[to + i] = affine(data, at, i / 32, nibble(data, at + 16, i));
        }
    }

    static void q5(MemorySegment data, long at, float[] weights, int to) {
        for (int i = 0; i < SIZE; i++) {
            int upper = unsigned(data, at + 16 + i % 32) >> i / 32 & 1;
            weights[to + i] = affine(data, at, i / 32, nibble(data, at + 48, i) + 16 * upper);
        }
    }

    static void q6(MemorySegment data, long at, float[] weights, int to) {
        float unit = half(data, at + 208);
        for (int i = 0; i < SIZE; i++) {
            int inHalf = i % 128;
            int lower = unsigned(data, at + i / 128 * 64 + inHalf % 64) >> (inHalf < 64 ? 0 : 4) & 15;
            int level = (lower | pairOfBits(data, at + 128, i) << 4) - 32;
            weights[to + i] = unit * signed(data, at + 192 + i / 16) * level;
        }
    }

    static void iq4(MemorySegment data, long at, float[] weights, int to) {
        float unit = half(data, at);
        int upper = data.get(Elements.SHORT, at + 2);
        for (int group = 0; group < SIZE / 32; group++) {
            int lower = unsigned(data, at + 4 + group / 2) >> group % 2 * 4 & 15;
            float scale = unit * ((lower | (upper >> 2 * group & 3) << 4) - 32);
            LegacyDecoders.codebook(data, at + 8 + 16 * group, scale, weights, to + 32 * group);
        }
    }

    /** A weight of Q4_K or Q5_K from its level and the six-bit scale and minimum of its group. */
    private static float affine(MemorySegment data, long at, int group, int level) {
        int scale;
        int min;
        if (group < 4) {
            scale = unsigned(data, at + 4 + group) & 63;
            min = unsigned(data, at + 8 + group) & 63;
        } else {
            int lower = unsigned(data, at + 8 + group);
            scale = lower & 15 | unsigned(data, at + group) >> 6 << 4;
            min = lower >> 4 | unsigned(data, at + 4 + group) >> 6 << 4;
        }
        return half(data, at) * scale * level - half(data, at + 2) * min;
    }

    private static int nibble(MemorySegment data, long at, int i) {
        return unsigned(data, at + i / 64 * 32 + i % 32) >> (i % 64 < 32 ? 0 : 4) & 15;
    }

    private static int pairOfBits(MemorySegment data, long at, int i) {
        return unsigned(data, at + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 3;
    }
}
