package io.gpuquant.ptx;

/** {@code lop3.b32}: any logic function of three words, given as its truth table. */
final class Lop3 {

    static final int TABLES = 256;

    private record Key(int table) {}

    private Lop3() {}

    /** The function of a table: bit i of it is the result where the bits of a, b and c spell i. */
    static LaneFunctions.Int3 of(int table) {
        return LaneFunctions.shared(
                new Key(table),
                () -> (a, b, c) -> row(table, 0, ~a & ~b & ~c)
                        | row(table, 1, ~a & ~b & c)
                        | row(table, 2, ~a & b & ~c)
                        | row(table, 3, ~a & b & c)
                        | row(table, 4, a & ~b & ~c)
                        | row(table, 5, a & ~b & c)
                        | row(table, 6, a & b & ~c)
                        | row(table, 7, a & b & c));
    }

    private static int row(int table, int row, int bits) {
        return (table >>> row & 1) != 0 ? bits : 0;
    }
}
