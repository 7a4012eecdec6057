package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.quantize.BlockPlan.Block;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code H = R Rᵀ} and the inverses of R's diagonal blocks, in float32 on the device and in float64 beside it. */
class FactorizationTest {

    private static final float DAMPING = 20;

    /** A factor, row-major [n, n], and the inverses of its diagonal blocks. */
    private record Factor(float[] r, List<float[]> inverses) {}

    @ParameterizedTest
    @CsvSource({"200, 200", "200, 1", "224, 32", "96, 48", "320, 160", "640, 64", "514, 257"})
    void givesAnUpperTriangularFactorOfTheHessian(int n, int groupSize) {
        SyntheticStage stage = SyntheticStage.of(70, n, 1).withDead(3, n - 1);
        BlockPlan plan = BlockPlan.of(n, groupSize);
        float[] hessian = damped(stage);
        try (StageLab lab = StageLab.fast();
                Scratch memory = new Scratch(lab.device())) {
            DeviceMatrix gram = lab.floats("Gram matrix", n, n, stage.gram());
            DeviceMatrix order = memory.integers("order", IntStream.range(0, n).toArray());
            Factorization factorization = new Factorization(lab.device(), memory, plan, n);

            assertThat(factorization.factor(gram, order, DAMPING)).isTrue();
            Factor inFloat = read(lab, factorization, plan, n);
            requireFactor(inFloat, hessian, plan, n * 0x1p-24);

            Optional<DoubleFactorization> exact =
                    DoubleFactorization.of(factorization.prepared(gram, order, DAMPING), n, plan);
            DoubleFactorization found = exact.orElseThrow();
            requireFactor(new Factor(found.factor(), found.inverses()), hessian, plan, 2 * 0x1p-24);

            factorization.set(found.factor(), found.inverses());
            assertThat(read(lab, factorization, plan, n))
                    .usingRecursiveComparison()
                    .isEqualTo(new Factor(found.factor(), found.inverses()));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 70, 128, 199})
    void refusesWhatIsNotPositiveDefiniteWhereverThatShows(int feature) {
        int n = 200;
        SyntheticStage whole = SyntheticStage.of(71, n, 1);
        float[] values = whole.gram().clone();
        values[feature * n + feature] = -2 * DAMPING;
        BlockPlan plan = BlockPlan.of(n, n);
        try (StageLab lab = StageLab.checked();
                Scratch memory = new Scratch(lab.device())) {
            DeviceMatrix gram = lab.floats("Gram matrix", n, n, values);
            DeviceMatrix order = memory.integers("order", IntStream.range(0, n).toArray());
            Factorization factorization = new Factorization(lab.device(), memory, plan, n);

            assertThat(factorization.factor(gram, order, DAMPING)).isFalse();
            assertThat(DoubleFactorization.of(factorization.prepared(gram, order, DAMPING), n, plan))
                    .isEmpty();

            // A failure leaves nothing behind.
            DeviceMatrix good = lab.floats("Gram matrix", n, n, whole.gram());
            assertThat(factorization.factor(good, order, DAMPING)).isTrue();
            requireFactor(read(lab, factorization, plan, n), damped(whole), plan, n * 0x1p-24);
        }
    }

    /** Two streams that run in any order their events allow compute what one stream does. */
    @ParameterizedTest
    @EnumSource
    void looksAheadInTheRightOrder(LateDevice.Preference preference) {
        int n = 900;
        SyntheticStage stage = SyntheticStage.of(72, n, 1);
        BlockPlan plan = BlockPlan.of(n, 100);
        Factor expected;
        try (StageLab lab = StageLab.fast()) {
            expected = factored(lab, stage, plan);
        }
        try (StageLab lab =
                new StageLab(new LateDevice(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1)), preference))) {
            assertThat(factored(lab, stage, plan)).usingRecursiveComparison().isEqualTo(expected);
        }
    }

    private static Factor factored(StageLab lab, SyntheticStage stage, BlockPlan plan) {
        int n = stage.in();
        try (Scratch memory = new Scratch(lab.device())) {
            DeviceMatrix gram = lab.floats("Gram matrix", n, n, stage.gram());
            DeviceMatrix order = memory.integers("order", IntStream.range(0, n).toArray());
            Factorization factorization = new Factorization(lab.device(), memory, plan, n);
            assertThat(factorization.factor(gram, order, DAMPING)).isTrue();
            return read(lab, factorization, plan, n);
        }
    }

    @Test
    void makesTheHostWaitOnlyForTheStatus() {
        int n = 900;
        SyntheticStage stage = SyntheticStage.of(72, n, 1);
        BlockPlan plan = BlockPlan.of(n, 100);
        LateDevice device =
                new LateDevice(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1)), LateDevice.Preference.COMPUTE);
        try (StageLab lab = new StageLab(device);
                Scratch memory = new Scratch(device)) {
            DeviceMatrix gram = lab.floats("Gram matrix", n, n, stage.gram());
            DeviceMatrix order = memory.integers("order", IntStream.range(0, n).toArray());
            Factorization factorization = new Factorization(device, memory, plan, n);
            device.history().clear();
            factorization.factor(gram, order, DAMPING);
        }
        int firstWait = device.history().indexOf("wait");
        assertThat(device.history().subList(0, firstWait)).hasSizeGreaterThan(4 * 9);
        assertThat(device.history().subList(firstWait, device.history().size())).containsOnly("wait");
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void refusesWhatIsNotFinite(float value) {
        SyntheticStage stage = SyntheticStage.of(71, 40, 1);
        float[] hessian = damped(stage);
        hessian[3 * 40 + 17] = value;

        assertThat(DoubleFactorization.of(hessian, 40, BlockPlan.of(40, 40))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {100_000, 1_000_000})
    void leavesFloat64ToMachinesWithTheMemoryForIt(int n) {
        assertThat(DoubleFactorization.fits(n)).isFalse();
        assertThat(DoubleFactorization.fits(100)).isTrue();
    }

    private static float[] damped(SyntheticStage stage) {
        float[] hessian = stage.gram().clone();
        for (int i = 0; i < hessian.length; i += stage.in() + 1) {
            hessian[i] = hessian[i] == 0 ? 1 : hessian[i] + DAMPING;
        }
        return hessian;
    }

    private static Factor read(StageLab lab, Factorization factorization, BlockPlan plan, int n) {
        float[] r = new float[n * n];
        List<float[]> inverses = new ArrayList<>();
        for (int i = 0; i < plan.blocks().size(); i++) {
            Block block = plan.blocks().get(i);
            DeviceMatrix columns = factorization.rows(0, n, block);
            for (int row = 0; row < n; row++) {
                float[] values = floats(lab, columns.rows(row, 1));
                System.arraycopy(values, 0, r, row * n + block.start(), values.length);
            }
            inverses.add(floats(lab, factorization.inverse(i)));
        }
        return new Factor(r, inverses);
    }

    private static float[] floats(StageLab lab, DeviceMatrix matrix) {
        assertThat(matrix.dtype()).isEqualTo(DType.F32);
        float[] values = new float[(int) matrix.elementCount()];
        lab.device().stream().copyToHost(matrix, MemorySegment.ofArray(values));
        lab.device().stream().synchronize();
        return values;
    }

    /** Asserts {@code ‖R Rᵀ - H‖ <= tolerance ‖H‖}, of what is on and above the diagonal, and that inverses are inverses. */
    private static void requireFactor(Factor factor, float[] hessian, BlockPlan plan, double tolerance) {
        int n = (int) Math.sqrt(hessian.length);
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0;
                for (int k = Math.max(i, j); k < n; k++) {
                    sum += (double) factor.r[i * n + k] * factor.r[j * n + k];
                }
                difference += (sum - hessian[i * n + j]) * (sum - hessian[i * n + j]);
                norm += (double) hessian[i * n + j] * hessian[i * n + j];
            }
        }
        assertThat(Math.sqrt(difference / norm)).isLessThanOrEqualTo(tolerance);
        for (int i = 0; i < plan.blocks().size(); i++) {
            requireInverse(factor, plan.blocks().get(i), factor.inverses.get(i), n);
        }
    }

    private static void requireInverse(Factor factor, Block block, float[] inverse, int n) {
        int width = block.width();
        for (int i = 0; i < width; i++) {
            for (int j = 0; j < width; j++) {
                double sum = 0;
                double size = 0;
                for (int k = i; k <= j; k++) {
                    double term =
                            (double) inverse[i * width + k] * factor.r[(block.start() + k) * n + block.start() + j];
                    sum += term;
                    size += Math.abs(term);
                }
                assertThat(sum - (i == j ? 1 : 0)).isBetween(-1e-5 * size, 1e-5 * size);
                if (j < i) {
                    assertThat(inverse[i * width + j]).isZero();
                }
            }
        }
    }
}
