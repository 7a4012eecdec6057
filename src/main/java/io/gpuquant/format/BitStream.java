package io.gpuquant.format;

import java.lang.foreign.MemorySegment;

/**
 * Reads values of a few bits from a little-endian bit stream that is laid out in 32-bit words at a fixed distance: value
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
            int set = words.get(io.gpuquant.tensor.Elements.INT, word * Integer.BYTES)
                    >>> (int) (position % Integer.SIZE);
            value |= (set & 1) << i;
        }
        return value;
    }
}
