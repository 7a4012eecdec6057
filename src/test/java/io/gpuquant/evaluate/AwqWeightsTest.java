package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.TensorReader;
import io.gpuquant.model.WeightSource;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.safetensors.SafetensorsFile;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AwqWeightsTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/packing");

    /** Anything but the linear under test. */
    private static final WeightSource OTHERS = new WeightSource() {
        @Override
        public DType dtype(String tensor) {
            return DType.BF16;
        }

        @Override
        public void load(String tensor, DeviceMatrix target) {
            throw new UnsupportedOperationException(tensor);
        }
    };

    @ParameterizedTest
    @CsvSource({"GEMM, 32", "GEMM, 128", "GEMV, 32", "GEMV, 64", "GEMV, 128"})
    void computesWithWhatAutoAwqPacked(AwqVersion version, int groupSize) {
        Path file = GOLDENS.resolve("awq-" + version.formatName() + "-g" + groupSize + ".safetensors");
        try (SafetensorsFile golden = SafetensorsFile.open(file);
                Device device = device()) {
            DeviceMatrix weights = DeviceMatrix.allocate(device, "weights", DType.F32, 96, 256);
            weights(device, golden, new AwqScheme(groupSize, false, version)).load("m.weight", weights);
            float[] found = new float[96 * 256];
            device.stream().copyToHost(weights, MemorySegment.ofArray(found));
            device.stream().synchronize();
            MemorySegment dense = golden.tensor("dense").data();
            for (int i = 0; i < found.length; i++) {
                assertThat(found[i]).isEqualTo(dense.get(Elements.FLOAT, (long) i * Float.BYTES));
            }
            weights.buffer().close();
        }
    }

    @Test
    void asksAnotherSourceForWhatIsNotQuantized() {
        try (SafetensorsFile golden = SafetensorsFile.open(GOLDENS.resolve("awq-gemm-g64.safetensors"));
                Device device = device()) {
            WeightSource weights = weights(device, golden, new AwqScheme(64, false, AwqVersion.GEMM));
            assertThat(weights.dtype("m.weight")).isEqualTo(DType.F16);
            assertThat(weights.dtype("norm.weight")).isEqualTo(DType.BF16);
            DeviceMatrix target = DeviceMatrix.allocate(device, "target", DType.F32, 256, 96);
            assertThatThrownBy(() -> weights.load("norm.weight", target))
                    .isInstanceOf(UnsupportedOperationException.class);
            assertThatThrownBy(() -> weights.load("m.weight", target))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("256 to 96");
            target.buffer().close();
        }
    }

    private static Device device() {
        return HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2), MachineOptions.checked());
    }

    private static WeightSource weights(Device device, SafetensorsFile golden, AwqScheme scheme) {
        TensorReader reader = name ->
                name.startsWith("m.") ? Optional.of(golden.tensor(name.substring("m.".length()))) : Optional.empty();
        return PackedWeights.of(device, reader, scheme, DType.F16, OTHERS);
    }
}
