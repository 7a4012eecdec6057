package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointWeightsTest {

    @TempDir
    Path folder;

    private Device device;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));
    }

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @CsvSource({
        "F32, F32",
        "F16, F16",
        "BF16, BF16",
        "F16, F32",
        "BF16, F32",
        "F32, F16",
        "F32, BF16",
        "F16, BF16",
        "BF16, F16"
    })
    void convertsToTheTypeOfTheTarget(DType stored, DType target) {
        HostTensor tensor = TestCheckpoints.tensor("w", stored, Shape.of(2, 3), 1.001f, -2.5f, 0.1f, 3e-3f, -7, 65000);
        float[] expected = new float[6];
        MemorySegment rounded = MemorySegment.ofArray(new byte[24]);
        for (int i = 0; i < 6; i++) {
            Elements.setFloat(rounded, target, i, Elements.floatAt(tensor.data(), stored, i));
            expected[i] = Elements.floatAt(rounded, target, i);
        }

        assertThat(load(tensor, target, 2, 3)).containsExactly(expected);
        assertThat(device.memory().heldBytes()).isZero();
    }

    @Test
    void tellsTheStoredType() {
        write(TestCheckpoints.tensor("w", DType.BF16, Shape.of(1), 1));
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(new CheckpointWeights(checkpoint, device).dtype("w")).isEqualTo(DType.BF16);
        }
    }

    @Test
    void takesARowForAVector() {
        HostTensor row = TestCheckpoints.tensor("w", DType.F32, Shape.of(1, 3), 1, 2, 3);

        assertThat(load(row, DType.F32, 1, 3)).containsExactly(1, 2, 3);
    }

    @Test
    void namesAMissingTensor() {
        write(TestCheckpoints.tensor("w", DType.F32, Shape.of(1), 1));

        refuses("model.norm.weight", DType.F32, 1, 1, folder + " has no tensor model.norm.weight");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"3,2 | 2 | 3", "6 | 2 | 3", "6 | 3 | 2", "1,2,3 | 2 | 3", "1,6 | 2 | 3", "5 | 1 | 6", "2,3 | 1 | 6"
            })
    void namesAWrongShape(String stored, int rows, int columns) {
        long[] extents = java.util.Arrays.stream(stored.split(",", -1))
                .mapToLong(Long::parseLong)
                .toArray();
        Shape shape = Shape.of(extents);
        write(TestCheckpoints.tensor("w", DType.F32, shape, new float[(int) shape.elementCount()]));

        refuses(
                "w",
                DType.F32,
                rows,
                columns,
                folder.resolve("model.safetensors") + ": w has shape " + shape + ", but config.json calls for [");
    }

    @ParameterizedTest
    @ValueSource(strings = {"I32", "F64", "U8", "F8_E4M3"})
    void namesATypeThatIsNoWeight(DType dtype) {
        write(TestCheckpoints.bytes("w", dtype, Shape.of(1), new byte[dtype.bytes()]));

        refuses("w", DType.F32, 1, 1, "w is of type " + dtype + "; only F32, F16 and BF16");
    }

    @ParameterizedTest
    @CsvSource({"F32, F32", "F32, F16", "F16, F16", "F16, F32", "BF16, BF16", "BF16, F32"})
    void namesTheFirstElementThatIsNoNumber(DType stored, DType target) {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] values = new float[70];
            values[37] = bad;
            values[38] = Float.NaN;
            write(TestCheckpoints.tensor("w", stored, Shape.of(7, 10), values));

            refuses("w", target, 7, 10, "w holds a NaN or an infinity at element 37; the checkpoint is damaged");
        }
    }

    @Test
    void namesAValueThatDoesNotFitTheTypeOfTheTarget() {
        write(TestCheckpoints.tensor("w", DType.F32, Shape.of(3), 1, 65_519, 65_520));

        refuses(
                "w",
                DType.F16,
                1,
                3,
                "w holds a NaN or an infinity at element 2; the checkpoint is damaged, or its values do not fit F16");
    }

    @Test
    void checksShapesWithoutReadingElements() {
        write(TestCheckpoints.tensor("w", DType.F32, Shape.of(2, 3), Float.NaN, 0, 0, 0, 0, 0));
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            WeightSource weights = new CheckpointWeights(checkpoint, device);

            weights.require("w", 2, 3);
            assertThatThrownBy(() -> weights.require("w", 3, 2)).isInstanceOf(InputException.class);
            assertThatThrownBy(() -> weights.require("v", 2, 3)).isInstanceOf(InputException.class);
        }
    }

    private void write(HostTensor tensor) {
        deleteOld();
        TestCheckpoints.write(folder, List.of(tensor));
    }

    private void deleteOld() {
        assertThat(folder.resolve("model.safetensors").toFile().delete()
                        || !folder.resolve("model.safetensors").toFile().exists())
                .isTrue();
    }

    private float[] load(HostTensor tensor, DType target, int rows, int columns) {
        write(tensor);
        DeviceMatrix matrix = DeviceMatrix.allocate(device, "target", target, rows, columns);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                DeviceBuffer buffer = matrix.buffer()) {
            new CheckpointWeights(checkpoint, device).load("w", matrix);
            byte[] bytes = new byte[(int) buffer.byteSize()];
            device.stream().copyToHost(matrix, MemorySegment.ofArray(bytes));
            float[] values = new float[rows * columns];
            for (int i = 0; i < values.length; i++) {
                values[i] = Elements.floatAt(MemorySegment.ofArray(bytes), target, i);
            }
            return values;
        }
    }

    private void refuses(String tensor, DType target, int rows, int columns, String message) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, "target", target, rows, columns);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                DeviceBuffer buffer = matrix.buffer()) {
            long held = device.memory().heldBytes();
            assertThatThrownBy(() -> new CheckpointWeights(checkpoint, device).load(tensor, matrix))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(message)
                    .satisfies(thrown -> assertThat(thrown.getMessage()).doesNotContain("\n", ". "));
            assertThat(device.memory().heldBytes()).isEqualTo(held);
        }
    }
}
