package io.gpuquant.ptx;

/** The operands of loads and stores of shared memory on a fast machine. */
abstract class SharedAccess extends Operation {

    final int base;
    final int[] registers;

    /** Bytes from the base address to each register's element. */
    final int[] shifts;

    SharedAccess(int[] arguments) {
        AccessArguments parsed = AccessArguments.of(arguments);
        base = parsed.base();
        registers = parsed.registers();
        shifts = parsed.shifts();
    }
}
