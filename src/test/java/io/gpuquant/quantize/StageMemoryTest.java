package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Who keeps device memory: a result until it is closed, and nobody else. */
class StageMemoryTest {

    private static final QuantizationGrid GRID = new QuantizationGrid(4, true, 0, Search.MIN_MAX);
    private static final int IN = 320;

    private enum Way {
        NEAREST(on -> new RoundToNearest(on, GRID, 32), 0, 10),
        GPTQ(on -> gptq(on, 32, false), 0, 10),
        GPTQ_WITH_STATIC_GROUPS(on -> gptq(on, 32, true), 0, 10),
        GPTQ_WITH_WIDE_GROUPS(on -> gptq(on, 160, false), 0, 2),
        GPTQ_IN_FLOAT64(on -> gptq(on, 32, false), 0.25, 10),
        GPTQ_GIVEN_UP(on -> gptq(on, 32, false), 0.7, 10),
        GPTQ_WITHOUT_INPUTS(on -> gptq(on, 32, false), -1, 10);

        private final Function<Device, QuantizationMethod> method;
        private final double taken;
        private final int groups;

        Way(Function<Device, QuantizationMethod> method, double taken, int groups) {
            this.method = method;
            this.taken = taken;
            this.groups = groups;
        }

        private static QuantizationMethod gptq(Device device, int groupSize, boolean staticGroups) {
            return new GptqMethod(
                    device,
                    new GptqOptions(GRID, groupSize, Ordering.GROUP_AWARE, staticGroups, 0.05),
                    CodeLayout.BYTES);
        }

        SyntheticStage stage() {
            SyntheticStage stage = SyntheticStage.of(40, IN, 3, 5);
            return taken < 0 ? stage.withGram(new float[IN * IN]) : Indefinite.by(taken, stage);
        }
    }

    @ParameterizedTest
    @EnumSource
    void isKeptByTheResultAlone(Way way) {
        try (Device device = host();
                StageLab lab = new StageLab(device)) {
            SyntheticStage stage = way.stage();
            DeviceMatrix weights = lab.floats("weights", 8, IN, stage.weights());
            DeviceMatrix gram = lab.floats("Gram matrix", IN, IN, stage.gram());
            long before = device.memory().heldBytes();
            try (QuantizedStage result = way.method.apply(device).quantize(StageLab.task(stage, weights, gram))) {
                assertThat(device.memory().heldBytes() - before)
                        .as("codes, scales and zero points")
                        .isEqualTo(8 * IN + 2 * 8 * way.groups + 8 * way.groups);
                assertThat(result.reports()).hasSize(2);
            }
            assertThat(device.memory().heldBytes()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @EnumSource
    void isGivenBackWhereverItRunsOut(Way way) {
        try (Device device = host()) {
            AtomicInteger left = new AtomicInteger();
            Device scarce = new WatchedDevice(device, buffer -> {
                if (left.getAndDecrement() == 0) {
                    buffer.close();
                    throw device.memory().outOfMemory(buffer.name(), buffer.byteSize(), "this is a test");
                }
            });
            SyntheticStage stage = way.stage();
            left.set(Integer.MAX_VALUE);
            new StageLab(scarce).run(stage, way.method);
            int allocations = Integer.MAX_VALUE - left.get();
            assertThat(allocations).isGreaterThan(7);
            // The first two are the task's own.
            for (int enough = 2; enough < allocations; enough++) {
                left.set(enough);
                assertThatThrownBy(() -> new StageLab(scarce).run(stage, way.method))
                        .isInstanceOf(DeviceOutOfMemoryException.class);
                assertThat(device.memory().heldBytes()).isZero();
            }
        }
    }

    private static HostDevice host() {
        return HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));
    }
}
