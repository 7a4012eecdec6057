package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.device.ChangedDevice;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.device.trace.ChromeTrace;
import io.gpuquant.device.trace.TracedDevice;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.job.JobListener;
import io.gpuquant.job.MemoryPlan;
import io.gpuquant.job.QuantizationJob;
import io.gpuquant.job.QuantizationJobOptions;
import io.gpuquant.job.TinyModel;
import io.gpuquant.kernels.PtxBlas;
import io.gpuquant.model.ActivationStore.Placement;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * A whole quantization on a GPU whose streams run side by side, and whose driver does work as late as it may: weights that are
 * read ahead, activations that come and go, and results that are written by a thread give the bytes that the processor gives,
 * where everything happens at once.
 */
@InChildJvm(arguments = "-Xmx1g")
class WholeJobTest {

    private static final MachineOptions MACHINE = MachineOptions.fast(2);

    private final List<MemoryPlan> plans = new ArrayList<>();

    @Test
    void givesTheBytesOfTheProcessorWhereverActivationsAre() throws Exception {
        Path folder = Files.createTempDirectory("whole-job");
        Path model = TinyModel.narrow().dtype(DType.F32, "float32").write(folder.resolve("model"));
        byte[] expected = onHost(model, folder.resolve("host"));
        Path timeline = folder.resolve("trace.json");

        byte[] roomy = onGpu(model, folder.resolve("roomy"), Long.MAX_VALUE, timeline);
        MemoryPlan plan = plans.getLast();
        assertThat(roomy).isEqualTo(expected);
        assertThat(plan.prefetch()).isTrue();
        assertThat(plan.placements().hidden()).isEqualTo(Placement.DEVICE);
        assertOverlap(new ObjectMapper().readTree(timeline.toFile()).path("traceEvents"));

        byte[] tight = onGpu(model, folder.resolve("tight"), plan.peakBytes() * 52 / 100, null);
        assertThat(tight).isEqualTo(expected);
        assertThat(plans.getLast().placements().hidden()).isEqualTo(Placement.HOST);
        assertThat(plans.getLast().chunking().count()).isGreaterThan(2);
    }

    private byte[] onHost(Path model, Path output) throws IOException {
        return quantize(
                model,
                output,
                () -> ChangedDevice.with(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2)), "blas", new PtxBlas()));
    }

    private byte[] onGpu(Path model, Path output, long memory, @Nullable Path timeline) throws IOException {
        try (FakeCuda fake = FakeCuda.install();
                VirtualKernels _ = VirtualKernels.install(fake, MACHINE)) {
            if (timeline == null) {
                return quantize(model, output, () -> open(memory));
            }
            try (ChromeTrace trace = ChromeTrace.to(timeline)) {
                return quantize(model, output, () -> new TracedDevice(open(memory), trace));
            }
        }
    }

    private static Device open(long memory) {
        try {
            return Fakes.openWithoutCublas(new DeviceOptions(memory, 1));
        } catch (NoGpuException e) {
            throw new AssertionError(e);
        }
    }

    private byte[] quantize(Path model, Path output, Supplier<Device> device) throws IOException {
        QuantizationJobOptions options = new QuantizationJobOptions(
                model,
                output,
                false,
                new QuantizationJobOptions.Gptq(
                        false,
                        false,
                        true,
                        0.05,
                        false,
                        new QuantizationJobOptions.Calibration(null, new CalibrationOptions(32, 200, 0))),
                4,
                32,
                true,
                GptqVersion.V1);
        JobListener listener = new JobListener() {
            @Override
            public void forecast(MemoryPlan memory) {
                plans.add(memory);
            }
        };
        new QuantizationJob(options, device, listener).run();
        return Files.readAllBytes(output.resolve("model.safetensors"));
    }

    /** The weights of layer 1 are on their way before layer 0 is done, and no results wait for the end. */
    private static void assertOverlap(JsonNode events) {
        List<JsonNode> blocks = spans(events, "cuda:0 compute", "gptq_block");
        List<JsonNode> ahead = spans(events, "cuda:0 weights", "to device: weights of layer 1");
        assertThat(blocks).hasSizeGreaterThanOrEqualTo(8);
        assertThat(ahead).hasSize(7);
        JsonNode lastOfLayer0 = blocks.get(blocks.size() / 2 - 1);
        assertThat(start(ahead.getFirst())).isLessThan(start(blocks.getFirst()));
        assertThat(end(ahead.getLast())).isLessThan(end(lastOfLayer0));
        List<JsonNode> results = spans(events, "cuda:0 to host", "to host: packed codes");
        assertThat(start(results.getFirst())).isLessThan(end(lastOfLayer0));
        assertThat(start(results.getFirst())).isGreaterThan(start(blocks.getFirst()));
        assertThat(spans(events, "thread prefetch", "prefetch model.layers.1.")).hasSizeGreaterThan(7);
        assertThat(spans(events, "thread writer", "write model.layers.")).hasSize(2 * 7 * 4);
        assertThat(spans(events, "thread main", "layer ")).hasSize(2);
    }

    private static List<JsonNode> spans(JsonNode events, String track, String name) {
        int thread = -1;
        List<JsonNode> found = new ArrayList<>();
        for (JsonNode event : events) {
            if (event.path("args").path("name").asText().equals(track)) {
                thread = event.path("tid").asInt();
            } else if (event.path("tid").asInt() == thread
                    && event.path("name").asText().startsWith(name)) {
                found.add(event);
            }
        }
        return found;
    }

    private static double start(JsonNode span) {
        return span.path("ts").asDouble();
    }

    private static double end(JsonNode span) {
        return start(span) + span.path("dur").asDouble();
    }
}
