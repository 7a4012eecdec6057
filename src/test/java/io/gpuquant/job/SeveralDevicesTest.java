package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.UsageException;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.quantize.LinearReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several virtual GPUs that calibrate and quantize together. */
class SeveralDevicesTest {

    @TempDir
    Path folder;

    private Path model;
    private final List<MemoryPlan> plans = new ArrayList<>();

    @BeforeEach
    void make() {
        model = TinyModel.narrow().write(folder.resolve("model"));
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void errAsLittleAsOneAndAlwaysTheSame(int count) throws IOException {
        JobResult alone = gptq(1, "alone", 9);
        JobResult together = gptq(count, "together", 9);
        byte[] first = Files.readAllBytes(together.output().resolve("model.safetensors"));
        JobResult again = gptq(count, "again", 9);

        assertThat(again.output().resolve("model.safetensors")).hasBinaryContent(first);
        assertThat(together.reports()).hasSameSizeAs(alone.reports());
        for (int i = 0; i < alone.reports().size(); i++) {
            LinearReport one = alone.reports().get(i);
            LinearReport other = together.reports().get(i);
            assertThat(other.name()).isEqualTo(one.name());
            assertThat(other.method()).isEqualTo("gptq");
        }
        assertThat(mean(together)).isCloseTo(mean(alone), within(1e-3 * mean(alone)));
        for (MemoryPlan plan : plans.subList(plans.size() - count, plans.size())) {
            assertThat(plan.chunking().sequences()).isBetween(9 / count, 9 / count + 1);
            assertThat(plan.peakBytes())
                    .isLessThan(plans.getFirst().peakBytes())
                    .isLessThanOrEqualTo(together.peakDeviceBytes() * 12 / 10);
        }
        assertThat(together.peakDeviceBytes())
                .isLessThanOrEqualTo(plans.stream()
                        .skip(1)
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

    @Test
    void roundingToNearestNeedsNoData() {
        JobResult result = QuantizationJob.onSeveral(
                        options(new QuantizationJobOptions.Rtn(), "rtn"), () -> hosts(2), new JobListener() {})
                .run();

        assertThat(result.reports())
                .hasSize(14)
                .allMatch(report -> report.method().equals("rtn"));
    }

    @Test
    void anUnfinishedRunIsResumedByAsManyDevicesOnly() {
        assertThatThrownBy(() -> gptq("out", 6, () -> hosts(2), failingAfterLayer(1)))
                .hasMessage("enough");
        AtomicInteger resumed = new AtomicInteger(-1);
        AtomicInteger lost = new AtomicInteger(-1);
        JobListener listener = new JobListener() {
            @Override
            public void resumed(int layersDone) {
                resumed.set(layersDone);
            }

            @Override
            public void startedAnew(int layersLost) {
                lost.set(layersLost);
            }
        };

        gptq("out", 6, () -> hosts(2), listener);
        assertThat(resumed).hasValue(1);
        assertThat(folder.resolve("out").resolve("model.safetensors"))
                .hasSameBinaryContentAs(gptq(2, "whole", 6).output().resolve("model.safetensors"));

        assertThatThrownBy(() -> gptq("other", 6, () -> hosts(2), failingAfterLayer(1)))
                .hasMessage("enough");
        gptq("other", 6, () -> hosts(3), listener);
        assertThat(lost).hasValue(1);
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
    void failureOfOneIsTheFailureOfAll() {
        List<Device> devices = hosts(3);
        Device scarce = new FailingDevice(devices.get(1), "Hessian");
        assertThatThrownBy(() ->
                        gptq("out", 6, () -> List.of(devices.get(0), scarce, devices.get(2)), new JobListener() {}))
                .isInstanceOf(DeviceOutOfMemoryException.class)
                .hasMessageContaining("Hessian needs");
        assertThat(folder.resolve("out.partial")).doesNotExist();
    }

    @Test
    void refusesWhatCannotBeShared() {
        assertThatThrownBy(() -> gptq(3, "out", 2))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("2 calibration sequences cannot be shared by 3 devices");
        QuantizationJobOptions awq = new QuantizationJobOptions(
                model,
                folder.resolve("awq"),
                false,
                new QuantizationJobOptions.Awq(
                        QuantizationJobOptions.Objective.MODULE, 4, true, true, true, calibration(6)),
                4,
                32,
                false,
                AwqVersion.GEMM);
        assertThatThrownBy(() -> QuantizationJob.onSeveral(awq, () -> hosts(2), new JobListener() {})
                        .run())
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("awq computes on one device");
    }

    private JobResult gptq(int count, String output, int samples) {
        return gptq(output, samples, () -> hosts(count), new JobListener() {
            @Override
            public void forecast(MemoryPlan memory) {
                plans.add(memory);
            }
        });
    }

    private JobResult gptq(
            String output, int samples, java.util.function.Supplier<List<Device>> devices, JobListener listener) {
        QuantizationJobOptions.Gptq method =
                new QuantizationJobOptions.Gptq(false, false, true, 0.05, false, calibration(samples));
        return QuantizationJob.onSeveral(options(method, output), devices, listener)
                .run();
    }

    private QuantizationJobOptions.Calibration calibration(int samples) {
        return new QuantizationJobOptions.Calibration(
                new TextFile(TinyModel.writeText(folder.resolve("text.jsonl")), "text"),
                new CalibrationOptions(32, samples, 0));
    }

    private QuantizationJobOptions options(QuantizationJobOptions.MethodOptions method, String output) {
        return new QuantizationJobOptions(model, folder.resolve(output), false, method, 4, 32, true, GptqVersion.V1);
    }

    private static List<Device> hosts(int count) {
        return Stream.generate(() -> (Device) HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1)))
                .limit(count)
                .toList();
    }
}
