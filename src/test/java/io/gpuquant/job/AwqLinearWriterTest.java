package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.StageCodes;
import io.gpuquant.safetensors.SafetensorsFile;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** From the codes that went into AutoAWQ's packers come the bytes that came out of them. */
class AwqLinearWriterTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/packing");
    private static final int IN = 256;
    private static final int OUT = 96;

    @ParameterizedTest
    @CsvSource({"GEMM, 32", "GEMM, 64", "GEMM, 128", "GEMV, 32", "GEMV, 64", "GEMV, 128"})
    void packsWhatAutoAwqPacks(AwqVersion version, int groupSize) {
        Path file = GOLDENS.resolve("awq-" + version.formatName() + "-g" + groupSize + ".safetensors");
        try (SafetensorsFile golden = SafetensorsFile.open(file);
                Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), MachineOptions.checked())) {
            int groups = IN / groupSize;
            DeviceMatrix codes = upload(
                    device, DType.U8, OUT, IN, bytes(golden.tensor("codes").data()));
            byte[] zeros = new byte[groups * OUT];
            byte[] stored = bytes(golden.tensor("zeros").data());
            MemorySegment scales = MemorySegment.ofArray(new byte[groups * OUT * Short.BYTES]);
            int scaleStride = (int) golden.tensor("scales").shape().extent(1);
            for (int group = 0; group < groups; group++) {
                for (int out = 0; out < OUT; out++) {
                    zeros[group * OUT + out] = stored[out * groups + group];
                    int from = version == AwqVersion.GEMM ? group * scaleStride + out : out * scaleStride + group;
                    short bits = golden.tensor("scales").data().get(Elements.SHORT, from * 2L);
                    scales.set(Elements.SHORT, (group * OUT + out) * 2L, bits);
                }
            }
            DeviceMatrix scaleMatrix = DeviceMatrix.allocate(device, "scales", DType.F16, groups, OUT);
            device.stream().copyToDevice(scales, scaleMatrix);
            LinearSpec linear = new LinearSpec("m", IN, OUT, false);
            StageWeights weights = new StageWeights(
                    new Stage(Stage.Kind.MLP_OUT, List.of(linear)),
                    DeviceMatrix.allocate(device, "weights", DType.F32, OUT, IN),
                    null);
            CollectedOutput output = new CollectedOutput(device);
            try (QuantizedStage stage = new QuantizedStage(
                    new StageCodes.Bytes(codes, new int[IN]),
                    scaleMatrix,
                    upload(device, DType.U8, groups, OUT, zeros),
                    new int[IN],
                    List.of())) {
                new AwqLinearWriter(device, new AwqScheme(groupSize, false, version), output).write(stage, weights);
            }
            for (String name : List.of("qweight", "qzeros", "scales")) {
                assertThat(output.tensors().get("m." + name))
                        .as(name)
                        .isEqualTo(golden.tensor(name).data().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
            }
            float[] dense = new float[OUT * IN];
            device.stream().copyToHost(weights.stacked(), MemorySegment.ofArray(dense));
            device.stream().synchronize();
            for (int i = 0; i < dense.length; i++) {
                assertThat(dense[i]).isEqualTo(golden.tensor("dense").data().get(Elements.FLOAT, i * 4L));
            }
            weights.stacked().buffer().close();
        }
    }

    private static byte[] bytes(MemorySegment integers) {
        byte[] bytes = new byte[(int) (integers.byteSize() / Integer.BYTES)];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) integers.get(Elements.INT, (long) i * Integer.BYTES);
        }
        return bytes;
    }

    private static DeviceMatrix upload(Device device, DType dtype, int rows, int columns, byte[] values) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, "test", dtype, rows, columns);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }
}
