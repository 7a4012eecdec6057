package io.gpuquant.gguf;

import com.sun.management.OperatingSystemMXBean;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.GgmlQuantizer;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A program, not a test: millions of weights that a second of one core quantizes, by the processor's quantizers and by the
 * kernels on the virtual GPU, without and with importance. Seconds are processor time, so that other work on the computer
 * disturbs little.
 */
final class QuantizerSpeed {

    private static final int COLUMNS = 1024;
    private static final int ROWS = 128;
    private static final int REPETITIONS = 3;
    private static final long SHORTEST_RUN = 400_000_000;
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private QuantizerSpeed() {}

    /** Prints a line for each type. */
    public static void main(String[] arguments) {
        float[] weights = gaussian(ROWS * COLUMNS);
        float[] importance = gaussian(COLUMNS);
        for (int i = 0; i < COLUMNS; i++) {
            importance[i] *= importance[i];
        }
        try (Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), MachineOptions.fast(1))) {
            System.out.println(
                    "type      processor      with importance   virtual GPU   with importance   (10^6 weights/s)");
            for (GgmlType type : GoldenBlocks.types()) {
                System.out.printf(
                        Locale.ROOT,
                        "%-9s %9.2f %16.2f %15.2f %15.2f%n",
                        type,
                        onProcessor(type, weights, null),
                        onProcessor(type, weights, importance),
                        onDevice(device, type, weights, null),
                        onDevice(device, type, weights, importance));
            }
        }
    }

    private static float[] gaussian(int count) {
        SplittableRandom random = new SplittableRandom(count);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (0.02 * random.nextGaussian());
        }
        return values;
    }

    private static double onProcessor(GgmlType type, float[] weights, float @Nullable [] importance) {
        MemorySegment blocks = MemorySegment.ofArray(new byte[(int) type.bytes(weights.length)]);
        HostQuantizer quantizer = new HostQuantizer(type, 1);
        return best(
                () -> quantizer.quantize(MemorySegment.ofArray(weights), DType.F32, ROWS, COLUMNS, importance, blocks));
    }

    private static double onDevice(Device device, GgmlType type, float[] weights, float @Nullable [] importance) {
        DeviceMatrix x = DeviceMatrix.allocate(device, "weights", DType.F32, ROWS, COLUMNS);
        DeviceMatrix columns = DeviceMatrix.allocate(device, "importance", DType.F32, 1, COLUMNS);
        DeviceMatrix blocks = DeviceMatrix.allocate(device, "blocks", DType.U8, ROWS, (int) type.bytes(COLUMNS));
        try (GgmlQuantizer quantizer = new GgmlQuantizer(device, type, weights.length)) {
            device.stream().copyToDevice(MemorySegment.ofArray(weights), x.buffer(), 0);
            if (importance != null) {
                device.stream().copyToDevice(MemorySegment.ofArray(importance), columns.buffer(), 0);
            }
            return best(() -> {
                quantizer.quantize(x, importance == null ? null : columns, blocks);
                device.stream().synchronize();
            });
        } finally {
            x.buffer().close();
            columns.buffer().close();
            blocks.buffer().close();
        }
    }

    /** The best of some runs, each long enough for the clock, which ticks in hundredths of a second. */
    private static double best(Runnable work) {
        double best = 0;
        for (int i = 0; i < REPETITIONS; i++) {
            long start = SYSTEM.getProcessCpuTime();
            long spent = 0;
            int rounds = 0;
            while (spent < SHORTEST_RUN) {
                work.run();
                rounds++;
                spent = SYSTEM.getProcessCpuTime() - start;
            }
            best = Math.max(best, 1e3 * ROWS * COLUMNS * rounds / spent);
        }
        return best;
    }
}
