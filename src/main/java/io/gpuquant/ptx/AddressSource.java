package io.gpuquant.ptx;

/**
 * Where the address of a memory operand comes from.
 *
 * @param base index of the base register
 * @param wide whether that is a 64-bit register
 */
record AddressSource(int base, boolean wide, long offset) {

    long address(Warp warp, int lane) {
        return (wide ? warp.longs[base][lane] : warp.words[base][lane] & 0xffff_ffffL) + offset;
    }
}
