package io.gpuquant.quantize;

/** Gram matrices that are none. */
final class Indefinite {

    private Indefinite() {}

    /** A stage with something taken off the diagonal of its Gram matrix, as a part of the diagonal's mean; zeros stay. */
    static SyntheticStage by(double fraction, SyntheticStage stage) {
        float[] gram = stage.gram().clone();
        double taken = fraction * stage.meanDiagonal();
        for (int i = 0; i < stage.in(); i++) {
            int diagonal = i * stage.in() + i;
            gram[diagonal] = gram[diagonal] == 0 ? 0 : (float) (gram[diagonal] - taken);
        }
        return stage.withGram(gram);
    }
}
