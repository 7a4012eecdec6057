package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Small kernels that do what a kernel must not: the message says where and what, in full. */
class KernelFaultsTest {

    private static final String PROLOGUE = """
            .version 7.4
            .target sm_80
            .address_size 64
            .extern .shared .align 16 .b8 rest[];
            .visible .entry test(.param .u64 memory, .param .u64 fresh) {
                .reg .pred %p<4>;
                .reg .b32 %thread, %lane, %r<8>;
                .reg .b64 %memory, %fresh, %local, %d<4>;
                .shared .align 16 .b8 first[100];
                .shared .align 16 .b8 second[64];
                .local .align 16 .b8 own[32];
                mov.u32 %thread, %tid.x;
                and.b32 %lane, %thread, 31;
                ld.param.u64 %memory, [memory];
                ld.param.u64 %fresh, [fresh];
                mov.u64 %local, own;
                mov.u32 %r0, 0;
            """;

    private static final String EPILOGUE =
            "ret;\ntarget_a: ret;\ntarget_b: ret;\n" + "targets: .branchtargets target_a, target_b;\n}\n";

    private static final int DYNAMIC_BYTES = 128;

    /**
     * A faulty piece of a kernel.
     *
     * @param body whose last line is at fault
     * @param warp the only one that can be, from the lines before
     * @param problem what the message must say after the place, up to the instruction; begins with the lane, if one is named
     */
    record Fault(String body, int warp, String problem) {

        Fault(String body, String problem) {
            this(body, 0, problem);
        }

        @Override
        public String toString() {
            return body.lines().toList().getLast();
        }
    }

    static List<Fault> sharedMemory() {
        return List.of(
                new Fault(
                        "st.shared.b32 [first+100], %r0;",
                        "lane 0: store at shared address 164, 0 bytes past the end of 'first'"),
                new Fault(
                        "st.shared.b8 [first+100], %r0;",
                        "lane 0: store at shared address 164, 0 bytes past the end of 'first'"),
                new Fault(
                        "st.shared.v4.b32 [first+96], {%r0, %r0, %r0, %r0};",
                        "lane 0: store at shared address 164, 0 bytes past the end of 'first'"),
                new Fault(
                        "ld.shared.b32 %r1, [first+160];",
                        "lane 0: load at shared address 224, 60 bytes past the end of 'first'"),
                new Fault("ld.shared.b32 %r1, [first+-4];", "lane 0: load at shared address 60, before every variable"),
                new Fault(
                        "ld.shared.b32 %r1, [second+-4];",
                        "lane 0: load at shared address 236, 72 bytes past the end of 'first'"),
                new Fault(
                        "ld.shared.b32 %r1, [second+64];",
                        "lane 0: load at shared address 304, 0 bytes past the end of 'second'"),
                new Fault(
                        "st.shared.b32 [rest+128], %r0;",
                        "lane 0: store at shared address 496, 0 bytes past the end of 'rest'"),
                new Fault(
                        "st.shared.b32 [rest+192], %r0;",
                        "lane 0: store at shared address 560, 64 bytes past the end of 'rest'"),
                new Fault(
                        "mov.u32 %r1, -64;\nld.shared.b32 %r1, [%r1];",
                        "lane 0: load of 4 bytes at shared address 4294967232, outside the block's 560 bytes"),
                new Fault(
                        "red.shared.add.u32 [second+64], 1;",
                        "lane 0: store at shared address 304, 0 bytes past the end of 'second'"),
                new Fault(
                        "red.shared.add.u32 [second], 1;",
                        "lane 0: read of shared byte 0 of 'second', which was never written"),
                new Fault(
                        "atom.shared.add.u32 %r1, [second+2], 1;",
                        "lane 0: atomic operation on an address that is not aligned"),
                new Fault(
                        "cp.async.ca.shared.global [first+100], [%memory], 4;",
                        "lane 0: store at shared address 164, 0 bytes past the end of 'first'"));
    }

    static List<Fault> others() {
        return List.of(
                new Fault(
                        "st.local.b32 [%local+32], %r0;",
                        "lane 0: local store at address 32, outside the thread's 32 bytes"),
                new Fault("ld.local.b32 %r1, [own+4];", "lane 0: read of local byte 4, which was never written"),
                new Fault("st.local.b32 [own+2], %r0;", "lane 0: address 0x2 is not aligned to 4 bytes"),
                new Fault(
                        "ld.global.b32 %r1, [%memory+1024];",
                        "lane 0: global load of 4 bytes at 0 bytes past the end of 'memory' (1024 bytes)"),
                new Fault(
                        "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%memory+1023];",
                        "lane 0: global load of 16 bytes at byte 1023 of 'memory' (1024 bytes)"),
                new Fault(
                        "ld.global.b8 %r1, [%fresh+9];", "lane 0: read of byte 9 of 'fresh', which was never written"),
                new Fault(
                        "red.global.add.u32 [%fresh+8], 1;",
                        "lane 0: atomic operation on byte 8 of 'fresh', which was never written"),
                new Fault(
                        "red.global.add.u32 [%memory+6], 1;",
                        "lane 0: atomic operation on an address that is not aligned"),
                new Fault("ld.global.b64 %d0, [%memory+4];", "lane 0: address 0x… is not aligned to 8 bytes"),
                new Fault(
                        "mov.u32 %r1, 5;\ncp.async.ca.shared.global [second], [%memory], 4, %r1;",
                        "lane 0: cp.async reads 5 of 4 bytes"),
                new Fault(
                        "cp.async.ca.shared.global [second], [%memory+8], 16;",
                        "lane 0: cp.async of 16 bytes at an address that is not aligned to them"),
                new Fault("brx.idx %thread, targets;", "lane 2: branches to number 2 of 2 labels"),
                new Fault("bar.sync 0, %thread;", "lane 0: a barrier for 0 threads, not a multiple of 32"),
                new Fault("add.u32 %r1, %r0, 16;\nbar.sync %r1;", "lane 0: barrier 16 is not one of the 16"),
                new Fault("""
                        setp.lt.u32 %p0, %lane, 16;
                        @%p0 bra target_a;
                        shfl.sync.bfly.b32 %r1, %r0, 16, 31, 0xffff0000;""", "lane 16: shfl reads lane 0, which does not take part"),
                new Fault(
                        """
                        setp.eq.u32 %p0, %lane, 5;
                        selp.b32 %r1, 0x0000003f, -1, %p0;
                        bar.warp.sync %r1;""",
                        "lane 5: the lane names the member mask 0x0000003f, and another of its members names 0xffffffff"),
                new Fault("""
                        setp.eq.u32 %p0, %lane, 5;
                        @%p0 bra target_a;
                        bar.warp.sync -1;""", "lane 0: the member mask 0xffffffff names lanes that have ended; live are 0xffffffdf"),
                new Fault("""
                        setp.eq.u32 %p0, %lane, 31;
                        @%p0 bra target_a;
                        ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [second];""", "lane 31: ldmatrix needs all 32 lanes"),
                new Fault(
                        """
                        shr.u32 %r1, %thread, 5;
                        add.u32 %r1, %r1, 1;
                        shl.b32 %r1, %r1, 5;
                        bar.sync 2, %r1;""",
                        1,
                        "barrier 2 is for 32 threads in one warp and for 64 threads in this one|barrier 2 is for 64 threads"),
                new Fault("add.u32 %r1, %r7, 1;", "lane 0: reads the uninitialised register %r7"),
                new Fault("@%p3 mov.u32 %r1, 0;", "lane 0: reads the uninitialised register %p3"));
    }

    private static void run(MachineOptions options, String body) {
        try (KernelRunner runner = new KernelRunner(options, "fault.ptx", PROLOGUE + body + "\n" + EPILOGUE)) {
            int[] single = {1, 1, 1};
            Allocation memory = runner.zeros("memory", 1024);
            runner.launch(single, new int[] {64, 1, 1}, DYNAMIC_BYTES, memory, runner.empty("fresh", 64));
        }
    }

    @ParameterizedTest
    @MethodSource({"sharedMemory", "others"})
    void saysWhereAndWhat(Fault expected) {
        PtxFault fault = catchThrowableOfType(PtxFault.class, () -> run(MachineOptions.checked(), expected.body()));
        assertThat(fault).isNotNull();
        List<String> lines = (PROLOGUE + expected.body()).lines().toList();
        String place = "fault.ptx:" + lines.size() + ": test, block (0, 0, 0), warp " + expected.warp();
        assertThat(fault.line()).as(fault.getMessage()).isEqualTo(lines.size());
        String message = String.valueOf(fault.getMessage());
        assertThat(message).startsWith(place);
        String problem = message.substring(place.length()).replaceAll("0x[0-9a-f]{9,}", "0x…");
        assertThat(problem).matches(said -> isOneOf(said, expected.problem()), expected.problem());
    }

    private static boolean isOneOf(String said, String alternatives) {
        return Arrays.stream(alternatives.split("\\|"))
                .anyMatch(each -> said.startsWith((each.startsWith("lane") ? ", " : ": ") + each + ", at '"));
    }

    @ParameterizedTest
    @MethodSource({"sharedMemory", "others"})
    void isFoundInAnyOrder(Fault expected) {
        Machines.checked()
                .forEach(options -> assertThatThrownBy(() -> run(options, expected.body()))
                        .as("%s", options)
                        .isInstanceOf(PtxFault.class));
    }

    @Test
    void aFastMachineKeepsToItsMemoryToo() {
        MachineOptions fast = MachineOptions.fast(1);
        assertThatThrownBy(() -> run(fast, "st.shared.b32 [rest+128], %r0;"))
                .isInstanceOf(PtxFault.class)
                .hasMessageContaining("warp 0: access outside shared or local memory");
        assertThatThrownBy(() -> run(fast, "mov.u32 %r1, -4;\nld.shared.b32 %r1, [%r1];"))
                .isInstanceOf(PtxFault.class)
                .hasMessageContaining("warp 0: access outside shared or local memory");
        assertThatThrownBy(() -> run(fast, "ld.global.b32 %r1, [%memory+1021];"))
                .isInstanceOf(PtxFault.class)
                .hasMessageContaining("lane 0: global load of 4 bytes at byte 1021 of 'memory' (1024 bytes)");
        assertThatThrownBy(() -> run(fast, "atom.shared.add.u32 %r1, [rest+128], 1;"))
                .isInstanceOf(PtxFault.class)
                .hasMessageContaining("outside the block's");
    }

    @Test
    void lanesThatOthersLeaveByEndingNeedNotWaitForThem() {
        Machines.all().forEach((name, options) -> run(options, """
                setp.lt.u32 %p0, %lane, 16;
                @%p0 bra rest_of_them;
                nanosleep.u32 20;
                ret;
                rest_of_them:
                bar.sync 1;
                """));
    }

    @Test
    void memoryThatWasFreedIsNobodys() {
        try (KernelRunner runner = new KernelRunner(
                MachineOptions.checked(), "fault.ptx", PROLOGUE + "ld.global.b32 %r1, [%fresh];\n" + EPILOGUE)) {
            Allocation memory = runner.zeros("memory", 1024);
            Allocation freed = runner.zeros("fresh", 64);
            runner.gpu().memory().free(freed);
            assertThatThrownBy(() -> runner.launch(1, 32, memory, freed))
                    .isInstanceOf(PtxFault.class)
                    .hasMessageContaining("global load of 4 bytes at ")
                    .hasMessageNotContaining("'fresh'");
            assertThatThrownBy(() -> runner.gpu().memory().free(freed))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("'fresh' is freed twice");
        }
    }

    @Test
    void theHostMayNotReadWhatNobodyHasWritten() {
        try (VirtualGpu gpu = new VirtualGpu(MachineOptions.checked())) {
            Allocation pages = gpu.memory().allocate("pages", 3 * 4096 + 100);
            gpu.memory().writable(pages.base(), 4096 + 30).fill((byte) 1);
            gpu.memory().writable(pages.base() + 2 * 4096, 4096).fill((byte) 2);
            assertThat(gpu.memory().readable(pages.base(), 4096 + 30).byteSize())
                    .isEqualTo(4126);
            assertThatThrownBy(() -> gpu.memory().readable(pages.base() + 4000, 200))
                    .hasMessage("the host reads byte 4126 of 'pages', which was never written");
            assertThatThrownBy(() -> gpu.memory().readable(pages.base() + 8192, 4097))
                    .hasMessage("the host reads byte 12288 of 'pages', which was never written");
            assertThatThrownBy(() -> gpu.memory().readable(pages.base() + 12300, 100))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("100 bytes at byte 12300 of 'pages'");
        }
    }
}
