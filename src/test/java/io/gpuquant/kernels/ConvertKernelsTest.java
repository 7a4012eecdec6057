package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** All of convert, copy_window and gather_columns is of class A: bit-equal to plain Java. */
final class ConvertKernelsTest {

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final KernelLab LAB = new KernelLab("convert");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1, 33", "31, 1", "33, 31", "3, 127", "2, 129", "5, 64", "9, 132", "2, 1028"})
    void convertsAnyTypeToAnyOther(int rows, int columns) {
        float[] values = values(rows * columns, 1);
        for (DType fromType : TYPES) {
            for (DType toType : TYPES) {
                float[] expected = KernelRun.rounded(toType, KernelRun.rounded(fromType, values));
                LAB.exactly(run -> {
                    DeviceMatrix from = run.put(fromType, rows, columns, values);
                    DeviceMatrix to = run.empty(toType, rows, columns);
                    new ConvertKernels(run.stream(), run.kernels()).convert(from, to);
                    assertThat(run.values(to)).as(fromType + " to " + toType).isEqualTo(expected);
                    return expected;
                });
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 64, 0, 68", "4, 64, 8, 64", "1, 64, 0, 64", "0, 64, 2, 64", "0, 61, 0, 64", "0, 64, 0, 61"})
    void convertsBetweenWindowsAndLeavesTheirSurroundingsAlone(
            int fromOffset, int fromStride, int toOffset, int toStride) {
        int rows = 7;
        int columns = 60;
        float[] values = values(rows * columns, 2);
        for (DType fromType : TYPES) {
            for (DType toType : TYPES) {
                float[] expected = KernelRun.rounded(toType, KernelRun.rounded(fromType, values));
                LAB.exactly(run -> {
                    DeviceMatrix from = run.put(fromType, rows, columns, new Place(fromOffset, fromStride), values);
                    DeviceMatrix to = run.patterned(toType, rows, columns, new Place(toOffset, toStride));
                    new ConvertKernels(run.stream(), run.kernels()).convert(from, to);
                    assertThat(run.values(to)).as(fromType + " to " + toType).isEqualTo(expected);
                    run.requireUntouchedAround(to);
                    return expected;
                });
            }
        }
    }

    @Test
    void convertsMatricesOfManyBlocks() {
        float[] values = values(69 * 516, 8);
        float[] expected = KernelRun.rounded(DType.BF16, values);
        LAB.exactly(run -> {
            DeviceMatrix to = run.empty(DType.BF16, 69, 516);
            new ConvertKernels(run.stream(), run.kernels()).convert(run.put(DType.F32, 69, 516, values), to);
            assertThat(run.values(to)).isEqualTo(expected);
            return expected;
        });
    }

    @Test
    void roundsTiesToEvenAndTooLargeToInfinity() {
        float[] values = {
            1 + 0x1p-11f,
            1 + 0x3p-11f,
            1 + 0x1p-8f,
            1 + 0x3p-8f,
            65519.996f,
            65520f,
            -1e30f,
            3.4e38f,
            0x1p-24f,
            0x1p-25f,
            0x1.8p-25f,
            0x1p-140f,
            -0f,
            Float.POSITIVE_INFINITY,
            Float.NaN
        };
        for (DType type : List.of(DType.F16, DType.BF16)) {
            List<KernelLab.Outcome<float[]>> outcomes = LAB.exactly(run -> {
                DeviceMatrix to = run.empty(type, 1, values.length);
                new ConvertKernels(run.stream(), run.kernels())
                        .convert(run.put(DType.F32, 1, values.length, values), to);
                return run.values(to);
            });
            assertThat(outcomes)
                    .allSatisfy(outcome -> assertThat(outcome.result()).isEqualTo(KernelRun.rounded(type, values)));
        }
    }

    @ParameterizedTest
    @CsvSource({"33, 31", "3, 127", "5, 1028", "1, 4099", "69, 513"})
    void gathersColumnsInAnyOrder(int rows, int columns) {
        Random random = new Random(3);
        int[] order = random.ints(columns + 3, 0, columns).toArray();
        gather(rows, columns, order);
    }

    @Test
    void gathersColumnsInVectors() {
        gather(9, 100, new Random(4).ints(132, 0, 100).toArray());
    }

    private static void gather(int rows, int columns, int[] order) {
        float[] values = values(rows * columns, 5);
        for (DType type : TYPES) {
            float[] rounded = KernelRun.rounded(type, values);
            float[] expected = new float[rows * order.length];
            for (int i = 0; i < expected.length; i++) {
                expected[i] = rounded[i / order.length * columns + order[i % order.length]];
            }
            LAB.exactly(run -> {
                DeviceMatrix from = run.put(type, rows, columns, new Place(3, columns + 5), values);
                DeviceMatrix to = run.patterned(DType.F32, rows, order.length, new Place(4, order.length + 4));
                new ConvertKernels(run.stream(), run.kernels()).gatherColumns(from, run.put(order), to);
                assertThat(run.values(to)).as(type.toString()).isEqualTo(expected);
                run.requireUntouchedAround(to);
                return expected;
            });
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"U8", "F16", "I32", "F64"})
    void copiesElementsOfAnyWidth(DType type) {
        // Offsets and strides that allow units of 16 bytes, and every smaller unit down to the element itself.
        for (int shift : new int[] {16, 8, 4, 2, 1}) {
            int columns = 48 + shift;
            Place place = new Place(shift, 96 + shift);
            byte[] bytes = new byte[5 * columns * type.bytes()];
            new Random(6).nextBytes(bytes);
            LAB.exactly(run -> {
                DeviceMatrix from = run.put(type, 5, columns, place, bytes);
                DeviceMatrix to = run.patterned(type, 5, columns, place);
                new ConvertKernels(run.stream(), run.kernels()).copy(from, to);
                assertThat(run.bytes(to)).as("unit of " + shift + " elements").isEqualTo(bytes);
                run.requireUntouchedAround(to);
                return new float[0];
            });
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "33, 31", "3, 4100", "300, 2", "69, 516"})
    void copiesMatricesOfAnyShape(int rows, int columns) {
        byte[] bytes = new byte[rows * columns * 4];
        new Random(7).nextBytes(bytes);
        LAB.exactly(run -> {
            DeviceMatrix from = run.put(DType.I32, rows, columns, new Place(0, columns), bytes);
            DeviceMatrix to = run.empty(DType.I32, rows, columns);
            new ConvertKernels(run.stream(), run.kernels()).copy(from, to);
            assertThat(run.bytes(to)).isEqualTo(bytes);
            return new float[0];
        });
    }

    @Test
    void copiesKeepTheBitsOfEveryNan() {
        byte[] bytes = {1, 0, (byte) 0x80, 0x7f, 2, 0, (byte) 0xc0, (byte) 0xff};
        LAB.exactly(run -> {
            DeviceMatrix to = run.empty(DType.F32, 1, 2);
            DeviceMatrix from = run.put(DType.F32, 1, 2, new Place(0, 2), bytes);
            new ConvertKernels(run.stream(), run.kernels()).copy(from, to);
            assertThat(run.bytes(to)).isEqualTo(bytes);
            return new float[0];
        });
    }

    @Test
    void leavesEmptyMatricesAlone() {
        float[] outcome = LAB.fast(run -> {
            ConvertKernels kernels = new ConvertKernels(run.stream());
            kernels.convert(run.empty(DType.F32, 0, 5), run.empty(DType.F16, 0, 5));
            kernels.copy(run.empty(DType.F32, 5, 0), run.empty(DType.F32, 5, 0));
            kernels.gatherColumns(run.empty(DType.F32, 5, 4), run.put(), run.empty(DType.F32, 5, 0));
            return new float[0];
        });
        assertThat(outcome).isEmpty();
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            ConvertKernels kernels = new ConvertKernels(run.stream(), run.kernels());
            DeviceMatrix floats = run.put(DType.F32, 2, 3, new float[6]);
            DeviceMatrix integers = run.put(0, 1, 2);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.convert(floats, run.empty(DType.F16, 3, 2)))
                    .withMessageContaining("is not 2 x 3");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.convert(integers, run.empty(DType.F32, 1, 3)))
                    .withMessageContaining("is not of F32, F16 or BF16");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.copy(floats, run.empty(DType.I32, 2, 3)))
                    .withMessageContaining("is not of F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.gatherColumns(floats, floats.rows(0, 1), run.empty(DType.F32, 2, 3)))
                    .withMessageContaining("is not of I32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.gatherColumns(floats, integers, run.empty(DType.F16, 2, 3)))
                    .withMessageContaining("is not of F32");
            return new float[0];
        });
    }

    /** Values of all magnitudes that the types have, and some that they do not. */
    private static float[] values(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (random.nextGaussian() * Math.scalb(1.0, random.nextInt(60) - 40));
        }
        return values;
    }
}
