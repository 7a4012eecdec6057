package io.gpuquant.device.cuda;

import io.gpuquant.ptx.Allocation;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.PtxKernel;
import io.gpuquant.ptx.PtxModule;
import io.gpuquant.ptx.VirtualGpu;
import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.PtxFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Executes what is launched on the fake driver on a virtual GPU. For the time of a launch the device memory that its
 * parameters point to is lent to the virtual GPU, which faults where a kernel touches anything else.
 */
final class VirtualKernels implements FakeCuda.Kernels, FakeCuda.Signatures, AutoCloseable {

    private final FakeCuda driver;
    private final VirtualGpu machine;
    private final Map<String, PtxFile> files = new HashMap<>();
    private final Map<String, PtxModule> modules = new HashMap<>();

    private VirtualKernels(FakeCuda driver, MachineOptions options) {
        this.driver = driver;
        machine = new VirtualGpu(options);
    }

    /** Executes everything from now on. */
    static VirtualKernels install(FakeCuda driver, MachineOptions options) {
        VirtualKernels kernels = new VirtualKernels(driver, options);
        driver.kernels(kernels).signatures(kernels);
        return kernels;
    }

    @Override
    public int @Nullable [] sizes(String moduleText, String entry) {
        return file(moduleText).entries().stream()
                .filter(candidate -> candidate.name().equals(entry))
                .findFirst()
                .map(found -> found.parameters().stream()
                        .mapToInt(parameter -> parameter.type().bytes())
                        .toArray())
                .orElse(null);
    }

    private PtxFile file(String moduleText) {
        return files.computeIfAbsent(moduleText, text -> PtxFile.parse("loaded.ptx", text));
    }

    @Override
    public int launch(FakeCuda.Launch launch) {
        PtxKernel kernel = modules.computeIfAbsent(launch.moduleText(), text -> machine.compile("loaded.ptx", text))
                .kernel(launch.entry());
        Map<MemorySegment, Allocation> lent = new HashMap<>();
        byte[] block = parameterBlock(kernel, launch, lent);
        try {
            machine.launch(kernel, triple(launch.grid()), triple(launch.block()), launch.dynamicSharedBytes(), block);
            lent.forEach((memory, loan) -> memory.copyFrom(machine.memory().readable(loan.base(), loan.byteSize())));
        } finally {
            lent.values().forEach(machine.memory()::free);
        }
        return 0;
    }

    private static int[] triple(List<Integer> extents) {
        return extents.stream().mapToInt(Integer::intValue).toArray();
    }

    /** The parameters, with addresses in device memory replaced by those of the loan. */
    private byte[] parameterBlock(PtxKernel kernel, FakeCuda.Launch launch, Map<MemorySegment, Allocation> lent) {
        List<MemorySegment> memories = driver.deviceMemory();
        List<Entry.Parameter> parameters = kernel.parameters();
        Entry.Parameter last = parameters.getLast();
        MemorySegment block =
                MemorySegment.ofArray(new byte[last.offset() + last.type().bytes()]);
        for (int i = 0; i < parameters.size(); i++) {
            Entry.Parameter parameter = parameters.get(i);
            block.asSlice(parameter.offset()).copyFrom(launch.parameters().get(i));
            if (parameter.type().bytes() == Long.BYTES) {
                long value = launch.int64(i);
                for (MemorySegment memory : memories) {
                    if (value >= memory.address() && value < memory.address() + memory.byteSize()) {
                        long base = lent.computeIfAbsent(memory, this::lend).base();
                        block.set(ValueLayout.JAVA_LONG_UNALIGNED, parameter.offset(), base + value - memory.address());
                    }
                }
            }
        }
        return block.toArray(ValueLayout.JAVA_BYTE);
    }

    private Allocation lend(MemorySegment memory) {
        Allocation loan = machine.memory().allocate("device memory", memory.byteSize());
        machine.memory().writable(loan.base(), loan.byteSize()).copyFrom(memory);
        return loan;
    }

    @Override
    public void close() {
        machine.close();
    }
}
