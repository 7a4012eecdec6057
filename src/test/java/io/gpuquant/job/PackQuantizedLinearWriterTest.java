package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.evaluate.PackedWeights;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.format.TensorReader;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.model.WeightSource;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.RoundToNearest;
import io.gpuquant.quantize.StageCodes;
import io.gpuquant.quantize.StageTask;
import io.gpuquant.safetensors.SafetensorsFile;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against checkpoints that llm-compressor and compressed-tensors made of one BF16 model. */
class PackQuantizedLinearWriterTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");
    private static final int GROUP_SIZE = 128;

    /** The linears whose original weights are here too. */
    private static final List<String> MODULES =
            List.of("model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj");

    @ParameterizedTest
    @CsvSource({"ct_W4A16, true", "ct_W4A16_ASYM, false"})
    void packsWhatCompressedTensorsPacks(String name, boolean symmetric) {
        PackQuantizedScheme scheme = new PackQuantizedScheme(4, GROUP_SIZE, symmetric, DType.BF16);
        try (SafetensorsFile golden = SafetensorsFile.open(GOLDENS.resolve(name + "/model.safetensors"));
                Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), MachineOptions.checked())) {
            for (String module : MODULES) {
                PackedLinear linear = scheme.read(reader(golden), module);
                float[] dense = new float[linear.out() * linear.in()];
                Map<String, byte[]> written = write(device, scheme, module, linear, dense);

                List<String> parts = new ArrayList<>(List.of("weight_packed", "weight_scale", "weight_shape"));
                if (!symmetric) {
                    parts.add("weight_zero_point");
                }
                assertThat(written).hasSize(parts.size());
                for (String part : parts) {
                    assertThat(written.get(module + "." + part))
                            .as(part)
                            .isEqualTo(golden.tensor(module + "." + part).data().toArray(ValueLayout.JAVA_BYTE));
                }
                float[] loaded = load(device, golden, scheme, module, linear);
                for (int out = 0; out < linear.out(); out++) {
                    for (int in = 0; in < linear.in(); in++) {
                        assertThat(dense[out * linear.in() + in]).isEqualTo(linear.weight(out, in));
                        assertThat(loaded[out * linear.in() + in]).isEqualTo(linear.weight(out, in));
                    }
                }
            }
        }
    }

    /** Columns of codes go in the reversed order of the input features, and are put right. */
    private static Map<String, byte[]> write(
            Device device, PackQuantizedScheme scheme, String module, PackedLinear linear, float[] dense) {
        int in = linear.in();
        int out = linear.out();
        int groups = scheme.groups(in);
        byte[] codes = new byte[out * in];
        int[] positions = new int[in];
        byte[] zeros = new byte[groups * out];
        MemorySegment scales = MemorySegment.ofArray(new byte[groups * out * Short.BYTES]);
        for (int i = 0; i < in; i++) {
            positions[i] = in - 1 - i;
            for (int o = 0; o < out; o++) {
                codes[o * in + positions[i]] = (byte) linear.code(i, o);
            }
        }
        for (int group = 0; group < groups; group++) {
            for (int o = 0; o < out; o++) {
                zeros[group * out + o] = (byte) linear.zero(group, o);
                Elements.setFloat(scales, DType.F16, (long) group * out + o, linear.scale(group, o));
            }
        }
        CollectedOutput output = new CollectedOutput(device);
        DeviceMatrix weights = DeviceMatrix.allocate(device, "weights", DType.F32, out, in);
        try (var buffer = weights.buffer();
                QuantizedStage stage = new QuantizedStage(
                        new StageCodes.Bytes(
                                upload(device, DType.U8, out, in, MemorySegment.ofArray(codes)), positions),
                        upload(device, DType.F16, groups, out, scales),
                        upload(device, DType.U8, groups, out, MemorySegment.ofArray(zeros)),
                        new int[in],
                        List.of())) {
            Stage spec = new Stage(Stage.Kind.MLP_OUT, List.of(new LinearSpec(module, in, out, false)));
            new PackQuantizedLinearWriter(device, scheme, output).write(stage, new StageWeights(spec, weights, null));
            device.stream().copyToHost(weights, MemorySegment.ofArray(dense));
            device.stream().synchronize();
        }
        return output.tensors();
    }

    private static float[] load(
            Device device, SafetensorsFile golden, PackQuantizedScheme scheme, String module, PackedLinear linear) {
        WeightSource others = new WeightSource() {
            @Override
            public DType dtype(String tensor) {
                throw new UnsupportedOperationException(tensor);
            }

            @Override
            public void load(String tensor, DeviceMatrix target) {
                throw new UnsupportedOperationException(tensor);
            }
        };
        DeviceMatrix target = DeviceMatrix.allocate(device, "target", DType.F32, linear.out(), linear.in());
        try (var buffer = target.buffer()) {
            PackedWeights.of(device, reader(golden), scheme, DType.BF16, others).load(module + ".weight", target);
            float[] values = new float[linear.out() * linear.in()];
            device.stream().copyToHost(target, MemorySegment.ofArray(values));
            device.stream().synchronize();
            return values;
        }
    }

    /**
     * How far rounding to nearest agrees with upstream's. Both take the range over {@code 2^bits - 1} for the scale, in symmetric
     * grids twice the largest weight over 15, and round it to BF16. But upstream computes in BF16 all along: the width of the
     * range, its quotients with the scale, and their sums with the zero point are rounded to BF16 each. The kernels compute in
     * float32 and round the scale once. So symmetric scales are the same, an asymmetric scale may be a neighbour in BF16, and a
     * code or a zero point may be one more or less where a quotient lies near the middle of two integers.
     */
    @ParameterizedTest
    @CsvSource({"ct_W4A16, true, 0, 0.01", "ct_W4A16_ASYM, false, 0.3, 0.01"})
    void roundsAsUpstreamDoesButForItsHalfPrecision(
            String name, boolean symmetric, double mostOtherGrids, double mostOtherCodes) {
        PackQuantizedScheme scheme = new PackQuantizedScheme(4, GROUP_SIZE, symmetric, DType.BF16);
        QuantizationGrid grid = new QuantizationGrid(4, symmetric, 0, QuantizationGrid.Search.MIN_MAX, true);
        int grids = 0;
        int otherGrids = 0;
        int otherCodes = 0;
        try (SafetensorsFile golden = SafetensorsFile.open(GOLDENS.resolve(name + "/model.safetensors"));
                SafetensorsFile base = SafetensorsFile.open(GOLDENS.resolve("base_bf16_two_linears.safetensors"));
                Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), MachineOptions.fast(1))) {
            for (String module : MODULES) {
                PackedLinear theirs = scheme.read(reader(golden), module);
                HostTensor weight = base.tensor(module + ".weight");
                Map<String, byte[]> written = round(device, scheme, grid, module, weight, theirs.in(), theirs.out());
                PackedLinear ours = scheme.read(replaced(golden, written), module);
                for (int out = 0; out < theirs.out(); out++) {
                    for (int group = 0; group < scheme.groups(theirs.in()); group++) {
                        float[] weights = new float[GROUP_SIZE];
                        for (int i = 0; i < GROUP_SIZE; i++) {
                            weights[i] = Elements.floatAt(
                                    weight.data(), DType.BF16, (long) out * theirs.in() + group * GROUP_SIZE + i);
                        }
                        assertThat(theirs.scale(group, out)).isEqualTo(upstreamScale(weights, symmetric));
                        assertThat(Math.abs(ours.zero(group, out) - theirs.zero(group, out)))
                                .isLessThanOrEqualTo(1);
                        boolean same = ours.scale(group, out) == theirs.scale(group, out)
                                && ours.zero(group, out) == theirs.zero(group, out);
                        grids++;
                        otherGrids += same ? 0 : 1;
                        for (int i = 0; same && i < GROUP_SIZE; i++) {
                            int in = group * GROUP_SIZE + i;
                            int difference = Math.abs(ours.code(in, out) - theirs.code(in, out));
                            assertThat(difference).isLessThanOrEqualTo(1);
                            otherCodes += difference;
                        }
                    }
                }
            }
        }
        assertThat((double) otherGrids / grids).isLessThanOrEqualTo(mostOtherGrids);
        assertThat((double) otherCodes / (grids - otherGrids) / GROUP_SIZE).isBetween(0.001, mostOtherCodes);
    }

    private static float upstreamScale(float[] weights, boolean symmetric) {
        float lo = 0;
        float hi = 0;
        for (float weight : weights) {
            lo = Math.min(lo, weight);
            hi = Math.max(hi, weight);
        }
        return symmetric ? bf16(Math.max(hi, -lo) / 7.5f) : bf16(bf16(hi - lo) / 15);
    }

    private static float bf16(float value) {
        return BFloat16.toFloat(BFloat16.fromFloat(value));
    }

    /** The tensors of a file with the bytes of some replaced. */
    private static TensorReader replaced(SafetensorsFile file, Map<String, byte[]> bytes) {
        return name -> reader(file)
                .find(name)
                .map(tensor ->
                        new HostTensor(name, tensor.dtype(), tensor.shape(), MemorySegment.ofArray(bytes.get(name))));
    }

    private static Map<String, byte[]> round(
            Device device,
            PackQuantizedScheme scheme,
            QuantizationGrid grid,
            String module,
            HostTensor weight,
            int in,
            int out) {
        MemorySegment values = MemorySegment.ofArray(Elements.toFloats(weight));
        DeviceMatrix dense = upload(device, DType.F32, out, in, values);
        DeviceMatrix weights = upload(device, DType.F32, out, in, values);
        CollectedOutput output = new CollectedOutput(device);
        StageTask task = new StageTask(List.of(module), List.of(out), dense, null);
        try (var buffer = dense.buffer();
                var other = weights.buffer();
                QuantizedStage stage = new RoundToNearest(device, grid, GROUP_SIZE).quantize(task)) {
            Stage spec = new Stage(Stage.Kind.MLP_OUT, List.of(new LinearSpec(module, in, out, false)));
            new PackQuantizedLinearWriter(device, scheme, output).write(stage, new StageWeights(spec, weights, null));
        }
        return output.tensors();
    }

    private static TensorReader reader(SafetensorsFile file) {
        return name -> file.contains(name) ? Optional.of(file.tensor(name)) : Optional.empty();
    }

    private static DeviceMatrix upload(Device device, DType dtype, int rows, int columns, MemorySegment values) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, "test", dtype, rows, columns);
        device.stream().copyToDevice(values, matrix);
        return matrix;
    }
}
