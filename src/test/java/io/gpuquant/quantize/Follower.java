package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.kernels.QuantizationGrid;
import java.util.BitSet;

/**
 * Takes the decisions of an outcome, one by one, and asserts of each that it is right for the weights that it should be
 * decided on, or that these are so close to a tie that float32 may round them the other way.
 */
final class Follower implements ReferenceGptq.Decisions {

    /** How far from the middle between two codes float32 may round the other way, as a part of all codes' range. */
    private static final double NEAR_TIE = 5e-5;

    private final StageOutcome outcome;
    private final QuantizationGrid rule;

    /** Rows with a decision that is not the textbook's. */
    private final BitSet tipped = new BitSet();

    Follower(StageOutcome outcome, QuantizationGrid rule) {
        this.outcome = outcome;
        this.rule = rule;
    }

    @Override
    public ReferenceGrid grid(int row, int group, double[] weights) {
        ReferenceGrid textbook = ReferenceGrid.of(weights, rule);
        ReferenceGrid taken =
                new ReferenceGrid(outcome.scale(group, row), outcome.zero(group, row), rule.largestCode());
        if (!taken.equals(textbook)) {
            assertThat(taken.isExplainedBy(weights, rule))
                    .as("grid of group %d of row %d: %s, should be %s", group, row, taken, textbook)
                    .isTrue();
            tipped.set(row);
        }
        return taken;
    }

    @Override
    public int code(int row, int feature, ReferenceGrid grid, double weight) {
        int taken = outcome.code(row, feature);
        if (taken != grid.code(weight)) {
            double exact = Math.clamp(grid.exactCode(weight), 0, grid.largest());
            double distance = (Math.abs(exact - taken) - 0.5) / grid.largest();
            assertThat(distance)
                    .as("code of feature %d in row %d: %d of %.6f", feature, row, taken, exact)
                    .isLessThanOrEqualTo(NEAR_TIE);
            tipped.set(row);
        }
        return taken;
    }

    BitSet tipped() {
        return tipped;
    }
}
