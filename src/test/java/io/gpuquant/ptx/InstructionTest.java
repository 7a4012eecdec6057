package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Runs every instruction file on every kind of machine. */
class InstructionTest {

    private static final int SHOWN = 10;

    /** More than the executions after which a machine compiles instructions together. */
    private static final int MANY = 1000;

    static List<InstructionFile> files() {
        return InstructionFile.all();
    }

    @ParameterizedTest
    @MethodSource("files")
    void givesTheExpectedBits(InstructionFile file) {
        List<String> wrong = new ArrayList<>();
        Machines.all().forEach((name, options) -> {
            for (int threads : file.threadCounts()) {
                compare(file, name + ", " + threads + " threads", options, run(file, options, threads, 0), wrong);
            }
        });
        MachineOptions fast = MachineOptions.fast(1);
        compare(file, "fast, compiled", fast, run(file, fast, file.threadCounts()[0], MANY), wrong);
        assertThat(wrong).isEmpty();
    }

    private static void compare(
            InstructionFile file, String machine, MachineOptions options, long[] results, List<String> wrong) {
        int threads = results.length / Math.max(1, file.outputs().size());
        int columns = file.outputs().size();
        for (int thread = 0; thread < threads; thread++) {
            InstructionFile.Row row = file.rows().get(thread % file.rows().size());
            for (int i = 0; i < columns; i++) {
                InstructionFile.Variable output = file.outputs().get(i);
                long expected = row.outputs()[i];
                long actual = results[thread * columns + i];
                if (wrong.size() < SHOWN && !Values.matches(expected, actual, output.type(), options.isChecked())) {
                    wrong.add("%s:%d: thread %d has %s in %s, not %s (%s)"
                            .formatted(
                                    file.name(),
                                    row.line(),
                                    thread,
                                    Values.describe(actual, output.type()),
                                    output.name(),
                                    Values.describe(expected, output.type()),
                                    machine));
                }
            }
        }
    }

    /**
     * Runs a file's instructions.
     *
     * @param before how often the machine is told beforehand that each was executed
     */
    private static long[] run(InstructionFile file, MachineOptions options, int threads, int before) {
        try (VirtualGpu gpu = new VirtualGpu(options)) {
            Allocation inputs = gpu.memory()
                    .allocate("inputs", 8L * threads * Math.max(1, file.inputs().size()));
            Allocation outputs = gpu.memory()
                    .allocate("outputs", 8L * threads * file.outputs().size());
            Allocation memory = gpu.memory().allocate("memory", (long) threads * InstructionFile.MEMORY_BYTES);
            fill(file, threads, gpu.memory(), inputs, outputs, memory);
            ByteBuffer parameters = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
            parameters.putLong(inputs.base()).putLong(outputs.base()).putLong(memory.base());
            PtxKernel kernel = gpu.compile(file.name(), file.module()).kernel("test");
            for (int i = 0; i < before * kernel.code().length; i++) {
                kernel.straightCode().at(i / before);
            }
            gpu.launch(kernel, new int[] {1, 1, 1}, new int[] {threads, 1, 1}, 0, parameters.array());
            return gpu.memory().readable(outputs.base(), outputs.byteSize()).toArray(ValueLayout.JAVA_LONG);
        }
    }

    private static void fill(
            InstructionFile file,
            int threads,
            GlobalMemory global,
            Allocation inputs,
            Allocation outputs,
            Allocation memory) {
        MemorySegment in = global.writable(inputs.base(), inputs.byteSize());
        global.writable(outputs.base(), outputs.byteSize()).fill((byte) 0);
        MemorySegment own = global.writable(memory.base(), memory.byteSize());
        int columns = file.inputs().size();
        for (int thread = 0; thread < threads; thread++) {
            long[] values = file.rows().get(thread % file.rows().size()).inputs();
            for (int i = 0; i < columns; i++) {
                in.setAtIndex(ValueLayout.JAVA_LONG, (long) thread * columns + i, values[i]);
            }
            MemorySegment.copy(
                    file.memory(),
                    0,
                    own,
                    ValueLayout.JAVA_BYTE,
                    (long) thread * InstructionFile.MEMORY_BYTES,
                    InstructionFile.MEMORY_BYTES);
        }
    }
}
