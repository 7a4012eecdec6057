package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.kernels.QuantizationGrid.Search;
import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Class E: the loss of the whole method, in float32 with kernels, against the textbook in float64. Codes are compared by
 * how many differ, since a rounding that tips one changes what comes after it.
 */
class GptqAgreementTest {

    private static final int ROWS = 256;
    private static final int COLUMNS = 384;
    private static final double LOSS_TOLERANCE = 1e-3;
    private static final double DIFFERING_CODES = 2e-3;

    private static float[] weights;
    private static float[] gram;
    private static float damping;

    @BeforeAll
    static void makeAnIllConditionedGramMatrixWithOutlierChannels() {
        SplittableRandom random = new SplittableRandom(1);
        weights = Matrices.normal(random, ROWS * COLUMNS, 0.02);
        gram = Activations.gram(random, 1500, COLUMNS);
        double trace = 0;
        for (int i = 0; i < COLUMNS; i++) {
            trace += gram[i * COLUMNS + i];
        }
        damping = (float) (0.01 * trace / COLUMNS);
    }

    @ParameterizedTest
    @CsvSource({
        // bits, symmetric, smallest zero, search, group size
        "4, true, 0, MIN_MAX, 128",
        "4, true, 0, MSE, 128",
        "4, false, 1, MIN_MAX, 32",
        "3, false, 0, MSE, 64",
        "2, true, 0, MSE, 64",
        "8, true, 0, MIN_MAX, 128"
    })
    void losesWhatTheTextbookLoses(int bits, boolean symmetric, int smallestZero, Search search, int groupSize) {
        QuantizationGrid grid = new QuantizationGrid(bits, symmetric, smallestZero, search);
        agreesWithTheTextbook(TextbookGptq.Scheme.plain(grid, groupSize, COLUMNS), 128);
    }

    @Test
    void losesWhatTheTextbookLosesWithOneGridPerRow() {
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MSE);
        agreesWithTheTextbook(TextbookGptq.Scheme.plain(grid, COLUMNS, COLUMNS), 128);
    }

    @Test
    void losesWhatTheTextbookLosesInDescendingOrderOfTheDiagonal() {
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MIN_MAX);
        agreesWithTheTextbook(new TextbookGptq.Scheme(grid, 64, byDiagonal(), false), 128);
    }

    @Test
    void losesWhatTheTextbookLosesWithStaticGroupsInDescendingOrderOfTheDiagonal() {
        QuantizationGrid grid = new QuantizationGrid(4, false, 1, Search.MIN_MAX);
        agreesWithTheTextbook(new TextbookGptq.Scheme(grid, 48, byDiagonal(), true), 128);
    }

    @Test
    void losesTheSameWhateverTheWidthOfBlocks() {
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MIN_MAX);
        TextbookGptq.Scheme scheme = TextbookGptq.Scheme.plain(grid, 32, COLUMNS);
        double[] losses = IntStream.of(32, 64, 96, 128)
                .mapToDouble(width -> agreesWithTheTextbook(scheme, width))
                .toArray();

        for (double loss : losses) {
            assertThat(loss).isCloseTo(losses[0], within(LOSS_TOLERANCE * losses[0]));
        }
    }

    @Test
    void roundsDeadColumnsAndLeavesTheOthersAlone() {
        float[] deadGram = gram.clone();
        for (int i = 0; i < COLUMNS; i++) {
            deadGram[5 * COLUMNS + i] = 0;
            deadGram[i * COLUMNS + 5] = 0;
            deadGram[200 * COLUMNS + i] = 0;
            deadGram[i * COLUMNS + 200] = 0;
        }
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MIN_MAX);
        TextbookGptq.Scheme scheme = TextbookGptq.Scheme.plain(grid, 128, COLUMNS);
        TextbookGptq.Result textbook =
                TextbookGptq.quantize(Matrices.toDoubles(weights), Matrices.toDoubles(deadGram), damping, scheme);
        try (KernelRig rig = KernelRig.fast()) {
            BlockedGptq.Result result = new BlockedGptq(rig, 128, ROWS, scheme).quantize(weights, deadGram, damping);
            assertThat(result.status()).isZero();
            double loss = proxyLoss(result.quantized(), deadGram);
            assertThat(loss).isCloseTo(proxyLoss(textbook.quantized(), deadGram), within(LOSS_TOLERANCE * loss));
            for (int row = 0; row < ROWS; row++) {
                assertThat(result.codes()[row * COLUMNS + 5]).isEqualTo(textbook.codes()[row * COLUMNS + 5]);
            }
        }
    }

    @Test
    void losesLessThanRoundingToTheNearest() {
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MIN_MAX);
        TextbookGptq.Scheme scheme = TextbookGptq.Scheme.plain(grid, 128, COLUMNS);
        double[] nearest = new double[weights.length];
        for (int first = 0; first < weights.length; first += 128) {
            GridOracle group = GridOracle.of(Arrays.copyOfRange(weights, first, first + 128), grid);
            for (int i = first; i < first + 128; i++) {
                nearest[i] = group.value(group.code(weights[i]));
            }
        }

        assertThat(agreesWithTheTextbook(scheme, 128)).isLessThan(0.5 * proxyLoss(nearest, gram));
    }

    /** Returns the loss. */
    private static double agreesWithTheTextbook(TextbookGptq.Scheme scheme, int width) {
        TextbookGptq.Result textbook =
                TextbookGptq.quantize(Matrices.toDoubles(weights), Matrices.toDoubles(gram), damping, scheme);
        double expected = proxyLoss(textbook.quantized(), gram);
        // What the loop counts is what the definition says.
        assertThat(textbook.loss()).isCloseTo(expected, within(1e-9 * expected));
        try (KernelRig rig = KernelRig.fast()) {
            BlockedGptq.Result result = new BlockedGptq(rig, width, ROWS, scheme).quantize(weights, gram, damping);
            assertThat(result.status()).isZero();
            double loss = proxyLoss(result.quantized(), gram);
            assertThat(loss).isCloseTo(expected, within(LOSS_TOLERANCE * expected));
            assertThat(result.loss()).isCloseTo(loss, within(LOSS_TOLERANCE * loss));
            long differing = IntStream.range(0, weights.length)
                    .filter(i -> result.codes()[i] != textbook.codes()[i])
                    .count();
            assertThat((double) differing / weights.length).isLessThanOrEqualTo(DIFFERING_CODES);
            return loss;
        }
    }

    /** The sum over rows of e H e with the damped Hessian. */
    private static double proxyLoss(double[] quantized, float[] gram) {
        int[] identity = IntStream.range(0, COLUMNS).toArray();
        double[] hessian = TextbookGptq.damped(Matrices.toDoubles(gram), damping, identity);
        double[] errors = Matrices.difference(Matrices.toDoubles(weights), quantized);
        double[] product = Matrices.product(errors, hessian, ROWS, COLUMNS, COLUMNS);
        double sum = 0;
        for (int i = 0; i < errors.length; i++) {
            sum += errors[i] * product[i];
        }
        return sum;
    }

    private static int[] byDiagonal() {
        return IntStream.range(0, COLUMNS)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -gram[i * COLUMNS + i]))
                .mapToInt(Integer::intValue)
                .toArray();
    }
}
