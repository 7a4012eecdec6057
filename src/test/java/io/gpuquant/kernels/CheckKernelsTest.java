package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class CheckKernelsTest {

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final KernelLab LAB = new KernelLab("check");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @Test
    void findsNothingAmongFiniteValues() {
        float[] extremes = {
            0f, -0f, 1f, Float.MIN_VALUE, -Float.MIN_NORMAL, 65504f, -65504f, 0x1p-14f, 0x1.ffcp-15f, 0x1p127f
        };
        for (DType type : TYPES) {
            float[] values = new float[1061];
            for (int i = 0; i < values.length; i++) {
                // The largest power of two is an infinity of F16.
                values[i] = extremes[i % (extremes.length - (type == DType.F16 ? 1 : 0))];
            }
            assertThat(find(type, 0, values)).as(type.toString()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void findsTheFirstOfSeveral(float bad) {
        // 1061 elements are vectors and a tail; an offset of one element leaves no vector.
        for (DType type : TYPES) {
            for (int offset : new int[] {0, 1}) {
                for (int first : new int[] {0, 1, 2, 3, 4, 5, 6, 7, 131, 1055, 1056, 1060}) {
                    float[] values = new float[1061];
                    values[first] = bad;
                    values[1060] = bad;
                    assertThat(find(type, offset, values)).as(type.toString()).hasValue(first);
                }
            }
        }
    }

    @Test
    void findsTheFirstAmongManyBlocks() {
        float[] values = new float[100_003];
        Arrays.fill(values, 70_001, values.length, Float.NaN);
        OptionalLong found = LAB.fast(
                run -> new CheckKernels(run.device()).firstNonFinite(run.put(DType.F32, 1, values.length, values)));
        assertThat(found).hasValue(70_001);
    }

    @Test
    void findsNothingInAnEmptyMatrix() {
        OptionalLong found = LAB.fast(run -> new CheckKernels(run.device()).firstNonFinite(run.empty(DType.F32, 0, 3)));
        assertThat(found).isEmpty();
    }

    @Test
    void refusesWindowsAndIntegers() {
        LAB.fast(run -> {
            CheckKernels kernels = new CheckKernels(run.device(), run.kernels());
            DeviceMatrix window = run.put(DType.F32, 2, 3, new Place(0, 4), new float[6]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.firstNonFinite(window))
                    .withMessageContaining("is not dense");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.firstNonFinite(run.put(1, 2, 3)))
                    .withMessageContaining("is not of F32, F16 or BF16");
            return true;
        });
    }

    /** What all machines find, which must be the same. */
    private static OptionalLong find(DType type, int offset, float[] values) {
        List<KernelLab.Outcome<OptionalLong>> outcomes = LAB.exactly(run -> {
            DeviceMatrix matrix = run.put(type, 1, values.length, new Place(offset, values.length), values);
            return new CheckKernels(run.device(), run.kernels()).firstNonFinite(matrix);
        });
        assertThat(outcomes)
                .extracting(KernelLab.Outcome::result)
                .containsOnly(outcomes.getFirst().result());
        return outcomes.getFirst().result();
    }
}
