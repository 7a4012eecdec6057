package io.gpuquant.calibration;

import java.util.List;

/** Makes sequences from token ids, for tests of other packages. */
public final class TestSequences {

    private TestSequences() {}

    /** These sequences, which have one length. */
    public static TokenSequences of(int[]... sequences) {
        return new TokenSequences(sequences[0].length, List.of(sequences));
    }
}
