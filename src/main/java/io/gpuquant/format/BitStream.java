package io.gpuquant.format;

import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;

/**
 * Reads and writes values of a few bits in a little-endian bit stream that is laid out in 32-bit words at a fixed distance: value
 * {@code i} is the bits {@code i * bits} to {@code (i + 1) * bits - 1}, bit 0 being the lowest of the first word.
 */
final class BitStream {

    private final MemorySegment words;
    private final long firstWord;
    private final long wordStride;
    private final int bits;

    /**
     * @param firstWord index of the stream's first word
     * @param wordStride words from one word of the stream to its next
     */
    BitStream(MemorySegment words, long firstWord, long wordStride, int bits) {
        this.words = words;
        this.firstWord = firstWord;
        this.wordStride = wordStride;
        this.bits = bits;
    }

    int value(long index) {
        int value = 0;
        // Bit by bit: slow, and too plain to share a mistake with the kernel that packs.
        for (int i = 0; i < bits; i++) {
            long position = index * bits + i;
            long word = firstWord + position / Integer.SIZE * wordStride;
            int set = words.get(Elements.INT, word * Integer.BYTES) >>> (int) (position % Integer.SIZE);
            value |= (set & 1) << i;
        }
        return value;
    }

    /** Sets a value whose bits are all zero. */
    void set(long index, int value) {
        for (int i = 0; i < bits; i++) {
            long position = index * bits + i;
            long at = (firstWord + position / Integer.SIZE * wordStride) * Integer.BYTES;
            int word = words.get(Elements.INT, at) | (value >>> i & 1) << (int) (position % Integer.SIZE);
            words.set(Elements.INT, at, word);
        }
    }
}
