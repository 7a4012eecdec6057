package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.UsageException;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.model.RandomModel;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.ScaleReport;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntToDoubleFunction;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several virtual GPUs that calibrate and quantize together. */
class SeveralDevicesTest {

    private static final int LENGTH = 16;

    private static final Path TOKENIZER = Path.of("datasets/demo-llama");

    /** Attention with biases, and values that feed one input feature each, so that AWQ scales all there is to scale. */
    private static final String SIZES = """
            {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32,
             "vocab_size": 1024, "max_position_embeddings": 32, "bos_token_id": 0, "torch_dtype": "float16",
             "model_type": "%s", "num_hidden_layers": %d, "attention_bias": true, "num_experts": 6,
             "num_experts_per_tok": 1, "moe_intermediate_size": 32}""";

    @TempDir
    Path folder;

    private final List<MemoryPlan> plans = new ArrayList<>();

    private enum Method {
        GPTQ,
        AWQ_BY_MODULE,
        AWQ_BY_GRAM;

        QuantizationJobOptions options(Path model, Path output, QuantizationJobOptions.Calibration calibration) {
            QuantizationJobOptions.MethodOptions method = this == GPTQ
                    ? new QuantizationJobOptions.Gptq(false, false, true, 0.05, false, calibration)
                    : new QuantizationJobOptions.Awq(
                            this == AWQ_BY_MODULE
                                    ? QuantizationJobOptions.Objective.MODULE
                                    : QuantizationJobOptions.Objective.GRAM,
                            3,
                            true,
                            true,
                            true,
                            calibration);
            return new QuantizationJobOptions(
                    model, output, false, method, 4, 32, this == GPTQ, this == GPTQ ? GptqVersion.V1 : AwqVersion.GEMM);
        }
    }

    private Path model(String type, int layers) throws IOException {
        ObjectNode config = RandomModel.config(SIZES.formatted(type, layers));
        RandomModel model = RandomModel.of(config, DType.F16, 1);
        for (int layer = 0; layer < layers; layer++) {
            for (String norm : List.of("input", "post_attention")) {
                model = uneven(model, "model.layers." + layer + "." + norm + "_layernorm.weight");
            }
            if (type.equals("qwen3_moe")) {
                model = unpopular(model, "model.layers." + layer + ".mlp.gate.weight");
            }
        }
        Path written = model.write(Files.createDirectories(folder.resolve("model")));
        for (String file : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            Files.copy(TOKENIZER.resolve(file), written.resolve(file));
        }
        return written;
    }

    /** Some features are much larger than others, so that there is something to scale. */
    private static RandomModel uneven(RandomModel model, String name) {
        return scaled(model, name, i -> i % 9 == 0 ? 8 : 1);
    }

    /** Few tokens go to the last two experts: those that the router sends to none of the others. */
    private static RandomModel unpopular(RandomModel model, String router) {
        return scaled(model, router, i -> i / 64 > 3 ? 0.1 : 1);
    }

    private static RandomModel scaled(RandomModel model, String name, IntToDoubleFunction factors) {
        double[] values = model.values(name);
        float[] changed = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            changed[i] = (float) (values[i] * factors.applyAsDouble(i));
        }
        return model.with(
                name,
                List.of(TestCheckpoints.tensor(
                        name, model.tensor(name).dtype(), model.tensor(name).shape(), changed)));
    }

    @ParameterizedTest
    @CsvSource({
        "GPTQ, qwen2, 3",
        "GPTQ, qwen3_moe, 2",
        "AWQ_BY_MODULE, qwen2, 2",
        "AWQ_BY_GRAM, qwen2, 3",
        "AWQ_BY_MODULE, qwen3_moe, 2"
    })
    void errAsLittleAsOneAndAlwaysTheSame(Method method, String type, int count) throws IOException {
        Path model = model(type, 1);
        JobResult alone = run(method, model, 1, "alone");
        JobResult together = run(method, model, count, "together");
        JobResult again = run(method, model, count, "again");

        assertThat(again.output().resolve("model.safetensors"))
                .hasSameBinaryContentAs(together.output().resolve("model.safetensors"));
        assertThat(together.reports()).hasSameSizeAs(alone.reports());
        for (int i = 0; i < alone.reports().size(); i++) {
            LinearReport one = alone.reports().get(i);
            LinearReport other = together.reports().get(i);
            assertThat(other.name()).isEqualTo(one.name());
            assertThat(other.method()).isEqualTo(one.method());
            assertThat(other.note()).isEqualTo(one.note());
        }
        assertThat(mean(together)).isCloseTo(mean(alone), within(1e-3 * mean(alone)));
        assertAlike(together.scales(), alone.scales());
        assertExpertsAreCounted(together, type.equals("qwen3_moe"));
        assertHolds(together, count);
    }

    /** A candidate's loss is that of all tokens, whoever has seen them. */
    private static void assertAlike(List<ScaleReport> together, List<ScaleReport> alone) {
        assertThat(together).hasSameSizeAs(alone);
        for (int i = 0; i < alone.size(); i++) {
            ScaleReport one = alone.get(i);
            ScaleReport other = together.get(i);
            assertThat(other.previous()).isEqualTo(one.previous());
            assertThat(other.linears()).isEqualTo(one.linears());
            assertThat(other.lossWithout()).isCloseTo(one.lossWithout(), within(2e-3 * one.lossWithout()));
            assertThat(other.loss()).isCloseTo(one.loss(), within(2e-3 * one.lossWithout()));
        }
        assertThat(alone.stream().filter(report -> report.ratio() != null).count())
                .isGreaterThanOrEqualTo(alone.size() / 2);
    }

    /** Some experts have too few tokens even on all devices together. */
    private static void assertExpertsAreCounted(JobResult result, boolean experts) {
        List<LinearReport> few = result.reports().stream()
                .filter(report -> report.method().equals("rtn"))
                .toList();
        assertThat(few.isEmpty()).isEqualTo(!experts);
        assertThat(few.size()).isLessThan(result.reports().size() - 4);
        assertThat(few).allMatch(report -> report.note().contains(" of " + 7 * LENGTH + " calibration tokens"));
    }

    /** What a device holds at most is what was planned for it. */
    private void assertHolds(JobResult together, int count) {
        List<MemoryPlan> ofDevices = plans.subList(plans.size() - count, plans.size());
        for (MemoryPlan plan : ofDevices) {
            assertThat(plan.chunking().sequences()).isBetween(7 / count, 7 / count + 1);
            assertThat(plan.peakBytes()).isLessThanOrEqualTo(together.peakDeviceBytes() * 12 / 10);
        }
        assertThat(together.peakDeviceBytes())
                .isLessThanOrEqualTo(ofDevices.stream()
                        .mapToLong(MemoryPlan::peakBytes)
                        .max()
                        .orElseThrow());
    }

    private static double mean(JobResult result) {
        return result.reports().stream()
                .mapToDouble(LinearReport::error)
                .average()
                .orElseThrow();
    }

    /** Which of them rounds a linear changes no byte. */
    @Test
    void roundingToNearestNeedsNoData() throws IOException {
        Path model = model("qwen3_moe", 1);
        for (int count : new int[] {1, 3}) {
            QuantizationJobOptions options = new QuantizationJobOptions(
                    model,
                    folder.resolve("rtn" + count),
                    false,
                    new QuantizationJobOptions.Rtn(),
                    4,
                    32,
                    true,
                    GptqVersion.V1);
            JobResult result = QuantizationJob.onSeveral(options, () -> hosts(count), new JobListener() {})
                    .run();
            assertThat(result.reports())
                    .hasSize(4 + 6 * 3)
                    .allMatch(report -> report.method().equals("rtn"));
        }
        assertThat(folder.resolve("rtn3").resolve("model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("rtn1").resolve("model.safetensors"));
    }

    /** What all devices have in memory is what one of them has written: else a resumed run would go on with something else. */
    @Test
    void anUnfinishedRunIsResumedByAsManyDevicesOnly() throws IOException {
        Path model = model("qwen3_moe", 2);
        assertThatThrownBy(() -> run(Method.AWQ_BY_GRAM, model, () -> hosts(2), "out", failingAfterLayer(1)))
                .hasMessage("enough");
        AtomicInteger lost = new AtomicInteger(-1);
        JobListener refusing = new JobListener() {
            @Override
            public void startedAnew(int layersLost) {
                lost.set(layersLost);
                throw new IllegalStateException("not mine");
            }
        };
        assertThatThrownBy(() -> run(Method.AWQ_BY_GRAM, model, () -> hosts(3), "out", refusing))
                .hasMessage("not mine");
        assertThat(lost).hasValue(1);

        JobResult resumed = run(Method.AWQ_BY_GRAM, model, () -> hosts(2), "out", new JobListener() {});
        assertThat(resumed.resumedLayers()).isEqualTo(1);
        assertThat(resumed.output().resolve("model.safetensors"))
                .hasSameBinaryContentAs(
                        run(Method.AWQ_BY_GRAM, model, 2, "whole").output().resolve("model.safetensors"));
    }

    private static JobListener failingAfterLayer(int layers) {
        return new JobListener() {
            @Override
            public void layerDone(int done, int total) {
                if (done == layers) {
                    throw new IllegalStateException("enough");
                }
            }
        };
    }

    /** The others must not wait for a device that has failed. */
    @Test
    @Timeout(120)
    void failureOfOneIsTheFailureOfAll() throws IOException {
        Path model = model("qwen2", 1);
        List<Device> devices = hosts(3);
        Device scarce = new FailingDevice(devices.get(1), "Hessian");
        assertThatThrownBy(() -> run(
                        Method.GPTQ,
                        model,
                        () -> List.of(devices.get(0), scarce, devices.get(2)),
                        "out",
                        new JobListener() {}))
                .isInstanceOf(DeviceOutOfMemoryException.class)
                .hasMessageContaining("Hessian needs");
        assertThat(folder.resolve("out.partial")).doesNotExist();
    }

    @Test
    void refusesWhatCannotBeShared() throws IOException {
        Path model = model("qwen2", 1);
        assertThatThrownBy(() -> run(Method.GPTQ, model, 8, "out"))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("7 calibration sequences cannot be shared by 8 devices");
    }

    private JobResult run(Method method, Path model, int count, String output) {
        return run(method, model, () -> hosts(count), output, new JobListener() {
            @Override
            public void forecast(MemoryPlan memory) {
                plans.add(memory);
            }
        });
    }

    private JobResult run(
            Method method, Path model, Supplier<List<Device>> devices, String output, JobListener listener) {
        QuantizationJobOptions.Calibration calibration = new QuantizationJobOptions.Calibration(
                new TextFile(TinyModel.writeText(folder.resolve("text.jsonl")), "text"),
                new CalibrationOptions(LENGTH, 7, 0));
        return QuantizationJob.onSeveral(method.options(model, folder.resolve(output), calibration), devices, listener)
                .run();
    }

    private static List<Device> hosts(int count) {
        return Stream.generate(() -> (Device) HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1)))
                .limit(count)
                .toList();
    }
}
