package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.ChangedDevice;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs whose attention is by the fused kernels, on a virtual GPU that multiplies half types as a GPU does. */
class FusedAttentionRunTest {

    private static final int SAMPLES = 4;

    @TempDir
    Path folder;

    private Path model;
    private final List<MemoryPlan> plans = new ArrayList<>();
    private final List<Integer> lost = new ArrayList<>();

    @BeforeEach
    void make() {
        model = TinyModel.narrow()
                .layers(1)
                .config(config -> config.put("head_dim", 64))
                .write(folder.resolve("model"));
    }

    @Test
    void takesTheMemoryOfItsPlanWhichIsLessThanWithTilesAndGivesTheSameBytesAgain() throws IOException {
        JobResult tiles = run("tiles", gpu(AttentionMethod.TILED, Long.MAX_VALUE), 0);
        JobResult roomy = run("roomy", gpu(AttentionMethod.FUSED, Long.MAX_VALUE), 0);

        assertThat(plans.get(1).peakBytes()).isLessThan(plans.get(0).peakBytes());
        assertThat(plans.get(1).widest().holdings())
                .extracting(MemoryPlan.Holding::name)
                .doesNotContain("attention scores", "attention weights");
        assertThat(roomy.peakDeviceBytes())
                .isLessThan(tiles.peakDeviceBytes())
                .isLessThanOrEqualTo(plans.get(1).peakBytes())
                .isGreaterThan(plans.get(1).peakBytes() * 10 / 11);
        long enough = plans.get(1).peakBytes();
        JobResult again = run("again", gpu(AttentionMethod.FUSED, enough), 0);
        assertThat(again.output().resolve("model.safetensors"))
                .hasBinaryContent(Files.readAllBytes(roomy.output().resolve("model.safetensors")));
        assertThatThrownBy(() -> run("no room", gpu(AttentionMethod.TILED, enough), 0))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining("calibrating takes at least");
    }

    @Test
    void unfinishedRunWithTilesIsNotContinued() {
        assertThatThrownBy(() -> run("out", gpu(AttentionMethod.TILED, Long.MAX_VALUE), 1))
                .hasMessage("enough");

        JobResult fused = run("out", gpu(AttentionMethod.FUSED, Long.MAX_VALUE), 0);

        assertThat(fused.resumedLayers()).isZero();
        assertThat(lost).containsExactly(1);
    }

    @Test
    void isRefusedOnTheProcessorBeforeAnythingIsWritten() {
        Device host = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2).with(AttentionMethod.FUSED));
        assertThatThrownBy(() -> run("out", host, 0))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("--attention fused cannot compute heads of 64 elements in F32");
        assertThat(folder.resolve("out.partial")).doesNotExist();
    }

    private static Device gpu(AttentionMethod attention, long memory) {
        return ChangedDevice.with(
                HostDevice.open(new DeviceOptions(memory, 2).with(attention)), "operandType", DType.F16);
    }

    /** Runs a job, or stops it after some layers. */
    private JobResult run(String output, Device device, int layers) {
        QuantizationJobOptions.Calibration calibration = new QuantizationJobOptions.Calibration(
                new TextFile(TinyModel.writeText(folder.resolve("text.jsonl")), "text"),
                new CalibrationOptions(32, SAMPLES, 0));
        QuantizationJobOptions options = new QuantizationJobOptions(
                model,
                folder.resolve(output),
                false,
                new QuantizationJobOptions.Gptq(false, false, true, 0.05, false, calibration),
                4,
                32,
                true,
                GptqVersion.V1);
        JobListener listener = new JobListener() {
            @Override
            public void forecast(MemoryPlan memory) {
                plans.add(memory);
            }

            @Override
            public void startedAnew(int layersLost) {
                lost.add(layersLost);
            }

            @Override
            public void layerDone(int done, int total) {
                if (done == layers) {
                    throw new IllegalStateException("enough");
                }
            }
        };
        return new QuantizationJob(options, () -> device, listener).run();
    }
}
