package io.gpuquant.gguf;

/** 256 weights in groups of 16 with a scale each, a signed multiple of a unit of the block: {@code x ≈ unit · scale · level}. */
final class SymmetricSuperBlock {

    static final int GROUP = 16;
    static final int GROUPS = SuperBlocks.SIZE / GROUP;

    private final int half;

    /** The weights of one group. */
    final float[] x = new float[GROUP];

    /** How much the error of each counts. */
    final float[] weights = new float[GROUP];

    /** The levels, raised by {@code half}. */
    final byte[] levels = new byte[SuperBlocks.SIZE];

    /** The scales of the search. */
    final float[] scales = new float[GROUPS];

    /** With this many levels below zero. */
    SymmetricSuperBlock(int half) {
        this.half = half;
    }

    /** Takes the weights of a group. */
    void load(float[] row, int from, int group) {
        System.arraycopy(row, from + group * GROUP, x, 0, GROUP);
    }

    /** Levels for the scales that a reader will see; those of the search stay where the scale is zero. */
    void roundAgain(float[] row, int from, float unit, byte[] signedScales) {
        for (int group = 0; group < GROUPS; group++) {
            float scale = unit * signedScales[group];
            if (scale == 0) {
                continue;
            }
            for (int i = group * GROUP; i < (group + 1) * GROUP; i++) {
                levels[i] = (byte) (half + Rounding.nearest(row[from + i] / scale, -half, half - 1));
            }
        }
    }
}
