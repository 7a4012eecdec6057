package io.gpuquant.ptx;

import java.util.Arrays;

/**
 * What the access loops are made from. They go element by element, so an element that is loaded over the base register
 * must come last.
 *
 * @param bytes of all elements of a lane
 * @param shifts bytes from the base address to each register's element
 */
record AccessArguments(int base, int offset, int bytes, int[] registers, int[] shifts) {

    private static final int HEAD = 3;

    /** Encodes what {@link #of} reads: loop templates take plain integers. */
    static int[] encode(AddressSource source, int elementBytes, int[] registers) {
        int[] arguments = new int[HEAD + registers.length];
        arguments[0] = source.base();
        arguments[1] = (int) source.offset();
        arguments[2] = elementBytes;
        System.arraycopy(registers, 0, arguments, HEAD, registers.length);
        return arguments;
    }

    static AccessArguments of(int[] arguments) {
        int base = arguments[0];
        int offset = arguments[1];
        int elementBytes = arguments[2];
        int[] registers = Arrays.copyOfRange(arguments, HEAD, arguments.length);
        int[] shifts = new int[registers.length];
        for (int i = 0; i < shifts.length; i++) {
            shifts[i] = offset + i * elementBytes;
        }
        int last = registers.length - 1;
        for (int i = 0; i < last; i++) {
            if (registers[i] == base) {
                swap(registers, i, last);
                swap(shifts, i, last);
            }
        }
        return new AccessArguments(base, offset, elementBytes * registers.length, registers, shifts);
    }

    private static void swap(int[] values, int i, int j) {
        int value = values[i];
        values[i] = values[j];
        values[j] = value;
    }
}
