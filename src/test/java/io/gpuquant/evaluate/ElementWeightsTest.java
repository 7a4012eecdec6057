package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.ElementLinear;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.WeightSource;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Checkpoints that the tools of each format made, decoded on a device and, one value after another, on the processor. */
class ElementWeightsTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");

    private static final Device DEVICE = HostDevice.open(DeviceOptions.defaults());

    @AfterAll
    static void close() {
        DEVICE.close();
    }

    private static float[] load(WeightSource source, LinearSpec linear) {
        DeviceMatrix weight = DeviceMatrix.allocate(DEVICE, "weight", DType.F32, linear.out(), linear.in());
        float[] values = new float[linear.out() * linear.in()];
        try (var buffer = weight.buffer()) {
            source.load(linear.weightName(), weight);
            DEVICE.stream().copyToHost(weight, MemorySegment.ofArray(values));
            DEVICE.stream().synchronize();
        }
        return values;
    }

    /** The errors are those of the element types: about 1 % for four bits, 0.1 % for FP8, 0.01 % for INT8. */
    @ParameterizedTest
    @CsvSource({
        "bnb_nf4, bnb NF4, 0.006, 0.01",
        "bnb_nf4_dq, bnb NF4 double-quant, 0.006, 0.01",
        "bnb_fp4, bnb FP4, 0.01, 0.02",
        "bnb_int8, bnb INT8, 1e-5, 1e-4",
        "hf_fp8_block128, FP8 in blocks of 128 x 128, 5e-4, 1e-3",
        "ct_W8A8, compressed-tensors W8A8, 1e-5, 1e-4",
        "ct_FP8, compressed-tensors FP8, 5e-4, 1e-3",
        "ct_FP8_DYNAMIC, compressed-tensors FP8_DYNAMIC, 5e-4, 1e-3",
        "ct_FP8_BLOCK, compressed-tensors FP8_BLOCK, 5e-4, 1e-3",
        "ct_NVFP4, compressed-tensors NVFP4, 0.005, 0.012",
        "ct_NVFP4A16, compressed-tensors NVFP4A16, 0.005, 0.012",
        "ct_MXFP4, compressed-tensors MXFP4, 0.008, 0.02",
        "ct_MXFP8, compressed-tensors MXFP8, 5e-4, 1e-3"
    })
    void readsWhatTheToolsWrote(String golden, String format, double least, double most) {
        try (OpenModel model = OpenModel.open(GOLDENS.resolve(golden));
                Checkpoint base = Checkpoint.open(GOLDENS.resolve("base_bf16"))) {
            assertThat(model.format()).isEqualTo(format);
            ElementScheme scheme = model.elements().orElseThrow();
            WeightSource weights = model.weights(DEVICE);
            WeightSource original = new CheckpointWeights(base, DEVICE);
            for (LinearSpec linear : model.structure().linears().subList(1, 4)) {
                float[] decoded = load(weights, linear);
                float[] exact = load(original, linear);
                ElementLinear read = scheme.read(
                        name -> model.checkpoint()
                                .find(name)
                                .map(info -> model.checkpoint().tensor(name)),
                        linear.name());
                assertThat(read.fault()).isEmpty();
                double error = 0;
                double norm = 0;
                for (int i = 0; i < decoded.length; i++) {
                    float expected = read.weight(i / linear.in(), i % linear.in());
                    if (decoded[i] != expected) {
                        assertThat(decoded[i])
                                .as(linear.name() + " element %d", i)
                                .isEqualTo(expected);
                    }
                    error += (decoded[i] - exact[i]) * (double) (decoded[i] - exact[i]);
                    norm += exact[i] * (double) exact[i];
                }
                assertThat(error / norm).as(linear.name()).isBetween(least, most);
            }
            assertThat(weights.dtype("lm_head.weight")).isEqualTo(DType.BF16);
            assertThat(weights.dtype("model.layers.0.mlp.up_proj.weight")).isEqualTo(DType.BF16);
        }
    }
}
