package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Launches: what fits, what is counted, and that blocks on several threads do what they do on one. */
class VirtualGpuTest {

    private static final String HEADER = ".version 7.4\n.target sm_80\n.address_size 64\n";

    /** out[i] = i * i for every thread of the grid; with `bad` below the number of blocks, that block runs away. */
    private static final String SQUARES = HEADER + """
            .visible .entry squares(.param .u64 out, .param .u32 bad)
            .maxntid 64, 1, 1
            {
                .reg .pred %p;
                .reg .b32 %i, %block, %threads, %square, %bad;
                .reg .b64 %out;
                .shared .align 4 .b32 unused[64];
                ld.param.u64 %out, [out];
                ld.param.u32 %bad, [bad];
                mov.u32 %block, %ctaid.x;
                mov.u32 %threads, %ntid.x;
                mov.u32 %i, %tid.x;
                mad.lo.u32 %i, %block, %threads, %i;
                mul.lo.u32 %square, %i, %i;
                setp.eq.u32 %p, %block, %bad;
                @%p mul.lo.u32 %i, %i, 65536;
                mad.wide.u32 %out, %i, 4, %out;
                st.global.b32 [%out], %square;
                ret;
            }
            """;

    private static final int[] ONE = {1, 1, 1};

    private static byte[] arguments(Allocation out, int bad) {
        return ByteBuffer.allocate(12)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(out.base())
                .putInt(bad)
                .array();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void blocksOnSeveralThreadsDoWhatTheyDoOnOne(int threads) {
        try (KernelRunner runner = new KernelRunner(MachineOptions.fast(threads), "squares.ptx", SQUARES)) {
            Allocation out = runner.empty("out", 4 * 64 * 100);
            LaunchResult result = runner.launch(100, 64, out, -1);
            int[] squares = runner.readInts(out);
            for (int i = 0; i < squares.length; i++) {
                assertThat(squares[i]).isEqualTo(i * i);
            }
            // Twelve instructions of each of two warps of 100 blocks.
            assertThat(result.warpInstructions()).isEqualTo(200 * 12);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 7", "3, 0", "3, 99"})
    void aFaultOfAnyBlockIsThrownByTheLaunch(int threads, int block) {
        try (KernelRunner runner = new KernelRunner(MachineOptions.fast(threads), "squares.ptx", SQUARES)) {
            Allocation out = runner.empty("out", 4 * 64 * 100);
            assertThatThrownBy(() -> runner.launch(100, 64, out, block))
                    .isInstanceOf(PtxFault.class)
                    .hasMessageStartingWith("squares.ptx:21: squares, block (" + block + ", 0, 0), warp ");
            // Another launch is not hurt by it.
            runner.launch(100, 64, out, -1);
        }
    }

    /** A machine with other threads, and with blocks in another order, runs what was decoded for the first. */
    @Test
    void machinesThatRunAlikeShareWhatWasDecoded() {
        MachineOptions plain = MachineOptions.checked();
        try (VirtualGpu first = new VirtualGpu(plain);
                VirtualGpu second = new VirtualGpu(plain.withSeed(3));
                VirtualGpu erring = new VirtualGpu(plain.withPerturbation())) {
            PtxModule module = first.compile("squares.ptx", SQUARES);
            assertThat(second.compile("squares.ptx", SQUARES)).isSameAs(module);
            assertThat(second.compile("other.ptx", SQUARES)).isNotSameAs(module);
            assertThat(erring.compile("squares.ptx", SQUARES)).isNotSameAs(module);

            Allocation out = second.memory().allocate("out", 256);
            second.launch(module.kernel("squares"), ONE, new int[] {64, 1, 1}, 0, arguments(out, -1));
            assertThat(second.memory().readable(out.base(), 256).get(ValueLayout.JAVA_INT, 12))
                    .isEqualTo(9);
        }
    }

    @Test
    void variablesInGlobalMemoryAreOneMachinesOwn() {
        String counting = HEADER + """
                .global .align 4 .u32 count = 5;
                .visible .entry counting()
                {
                    .reg .b32 %n;
                    ld.global.u32 %n, [count];
                    add.u32 %n, %n, 1;
                    st.global.u32 [count], %n;
                    ret;
                }
                """;
        try (VirtualGpu first = new VirtualGpu(MachineOptions.checked());
                VirtualGpu second = new VirtualGpu(MachineOptions.checked())) {
            PtxModule module = first.compile("counting.ptx", counting);
            assertThat(second.compile("counting.ptx", counting)).isNotSameAs(module);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> second.launch(module.kernel("counting"), ONE, ONE, 0, new byte[0]))
                    .withMessage("counting was compiled for another machine");
        }
    }

    @Test
    void refusesLaunchesThatDoNotFit() {
        try (VirtualGpu gpu = new VirtualGpu(MachineOptions.checked());
                VirtualGpu other = new VirtualGpu(MachineOptions.fast(1))) {
            Allocation out = gpu.memory().allocate("out", 256);
            byte[] arguments = arguments(out, -1);
            PtxModule module = gpu.compile("squares.ptx", SQUARES);
            PtxKernel kernel = module.kernel("squares");
            assertThat(kernel.maxThreads()).isEqualTo(64);
            assertThat(kernel.staticSharedBytes()).isEqualTo(256);
            assertThat(kernel.parameters()).hasSize(2);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> other.launch(kernel, ONE, ONE, 0, arguments))
                    .withMessage("squares was compiled for another machine");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gpu.launch(kernel, new int[] {1, 0, 1}, ONE, 0, arguments))
                    .withMessage("squares is launched with an empty grid");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gpu.launch(kernel, ONE, new int[] {33, 2, 1}, 0, arguments))
                    .withMessage("squares is launched with blocks of 33 x 2 x 1 threads, but was made for at most 64");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gpu.launch(kernel, ONE, new int[] {1, 1, 0}, 0, arguments))
                    .withMessageContaining("blocks of 1 x 1 x 0 threads");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gpu.launch(kernel, ONE, ONE, 99 * 1024, arguments))
                    .withMessage("squares needs 101632 bytes of shared memory, more than 101376");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gpu.launch(kernel, ONE, ONE, -1, arguments))
                    .withMessageContaining("shared memory");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gpu.launch(kernel, ONE, ONE, 0, new byte[16]))
                    .withMessage("squares takes 12 bytes of parameters, not 16");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> module.kernel("cubes"))
                    .withMessage("squares.ptx has no kernel 'cubes'; it has [squares]");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> MachineOptions.fast(0))
                    .withMessage("a virtual GPU with 0 threads");
        }
    }

    /** Loads 4 bytes per lane from global and from shared memory, lanes a given number of bytes apart. */
    private static final String STRIDES = HEADER + """
            .visible .entry strides(.param .u64 memory, .param .u32 stride)
            {
                .reg .b32 %lane, %stride, %at, %value;
                .reg .b64 %memory;
                .shared .align 16 .b8 buffer[8192];
                ld.param.u64 %memory, [memory];
                ld.param.u32 %stride, [stride];
                mov.u32 %lane, %tid.x;
                mad.wide.u32 %memory, %lane, %stride, %memory;
                ld.global.b32 %value, [%memory];
                mov.u32 %at, buffer;
                mad.lo.u32 %at, %lane, %stride, %at;
                st.shared.b32 [%at], %value;
                ld.shared.b32 %value, [%at];
                ret;
            }
            """;

    @ParameterizedTest
    @CsvSource({"4, 4, 1", "8, 8, 2", "16, 16, 4", "32, 32, 8", "36, 32, 1", "128, 32, 32", "132, 32, 1"})
    void countsSectorsAndBankConflicts(int stride, int sectors, int passes) {
        try (KernelRunner runner = new KernelRunner(MachineOptions.checked(), "strides.ptx", STRIDES)) {
            Allocation memory = runner.zeros("memory", 8192);
            LaunchStatistics counted = runner.launch(1, 32, memory, stride).statistics();
            assertThat(counted.globalRequests()).isEqualTo(1);
            assertThat(counted.globalSectors()).isEqualTo(sectors);
            assertThat(counted.globalIdealSectors()).isEqualTo(4);
            assertThat(counted.sharedRequests()).isEqualTo(2);
            assertThat(counted.sharedWavefronts()).isEqualTo(2 * passes);
        }
    }

    @Test
    void countsInstructionsByName() {
        try (KernelRunner runner = new KernelRunner(MachineOptions.checked(), "strides.ptx", STRIDES)) {
            Allocation memory = runner.zeros("memory", 8192);
            LaunchResult result = runner.launch(3, 64, memory, 4);
            Map<String, Long> counted = result.statistics().instructions();
            assertThat(counted)
                    .containsEntry("ld.global.b32", 6L)
                    .containsEntry("ld.shared.b32", 6L)
                    .containsEntry("mov.u32", 12L)
                    .containsEntry("ret", 6L);
            assertThat(counted.values().stream().mapToLong(Long::longValue).sum())
                    .isEqualTo(result.warpInstructions());
        }
    }

    @Test
    void manyBlocksAreToldApart() {
        String text = HEADER + """
                .visible .entry touch(.param .u64 memory) {
                    .reg .pred %p;
                    .reg .b32 %block;
                    .reg .b64 %memory;
                    ld.param.u64 %memory, [memory];
                    mov.u32 %block, %ctaid.x;
                    setp.lt.u32 %p, %block, 39;
                    @%p mad.wide.u32 %memory, %block, 4, %memory;
                    st.global.b32 [%memory], %block;
                    ret;
                }
                """;
        try (KernelRunner runner = new KernelRunner(MachineOptions.checked(), "touch.ptx", text)) {
            Allocation memory = runner.zeros("memory", 4096);
            assertThatThrownBy(() -> runner.launch(40, 1, memory))
                    .hasMessageContaining("block (39, 0, 0)")
                    .hasMessageContaining("race: byte 0 of 'memory' is written by thread 0 of block 39")
                    .hasMessageContaining("was touched by thread 0 of block 0 ");
        }
    }
}
