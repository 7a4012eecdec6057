package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Which touches of memory are ordered, and which are races that a checked machine must find in any order of lanes. */
class RaceTest {

    private static final int THREADS = 128;

    /** Every thread has 16 bytes in shared and in global memory, written before the body begins. */
    private static final String PROLOGUE = """
            .version 7.4
            .target sm_80
            .address_size 64
            .visible .entry test(.param .u64 memory) {
                .reg .pred %p<4>;
                .reg .b32 %thread, %lane, %warp, %block, %own, %neighbour, %other_half, %across, %mask, %id, %r<4>;
                .reg .b64 %memory, %global_own, %global_neighbour, %d;
                .shared .align 16 .b8 buffer[2048];
                ld.param.u64 %memory, [memory];
                mov.u32 %block, %ctaid.x;
                mov.u32 %thread, %tid.x;
                and.b32 %lane, %thread, 31;
                shr.u32 %warp, %thread, 5;
                mov.u32 %r1, buffer;
                mad.lo.u32 %own, %thread, 16, %r1;
                xor.b32 %r0, %thread, 1;
                mad.lo.u32 %neighbour, %r0, 16, %r1;
                mad.wide.u32 %global_neighbour, %r0, 16, %memory;
                mad.wide.u32 %global_own, %thread, 16, %memory;
                xor.b32 %r0, %thread, 16;
                mad.lo.u32 %other_half, %r0, 16, %r1;
                xor.b32 %r0, %thread, 32;
                mad.lo.u32 %across, %r0, 16, %r1;
                setp.lt.u32 %p0, %lane, 16;
                selp.b32 %mask, 0xffff, 0xffff0000, %p0;
                shr.u32 %id, %thread, 6;
                mov.u32 %r0, 0;
                st.shared.v4.b32 [%own], {%r0, %r0, %r0, %r0};
                bar.sync 0;
            """;

    private static final String EPILOGUE = "ret;\n}\n";

    /**
     * A piece of a kernel.
     *
     * @param body ends with the line that is at fault, if any is
     */
    record Case(String name, int blocks, String body) {

        Case(String name, String body) {
            this(name, 1, body);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static List<Case> ordered() {
        return List.of(
                new Case("a thread and itself", "st.shared.b32 [%own], %r0;\nld.shared.b32 %r1, [%own];\n"),
                new Case(
                        "lanes by a barrier of the warp",
                        "st.shared.b32 [%own], %r0;\nbar.warp.sync -1;\nld.shared.b32 %r1, [%neighbour];\n"),
                new Case(
                        "lanes of a half warp by its barrier",
                        "st.shared.b32 [%own], %r0;\nbar.warp.sync %mask;\nld.shared.b32 %r1, [%neighbour];\n"),
                new Case("lanes by a chain of barriers", """
                        st.shared.b32 [%own], %r0;
                        setp.lt.u32 %p0, %lane, 16;
                        sub.u32 %r2, %lane, 8;
                        setp.lt.u32 %p1, %r2, 16;
                        setp.eq.u32 %p2, %lane, 20;
                        @%p0 bar.warp.sync 0x0000ffff;
                        @%p1 bar.warp.sync 0x00ffff00;
                        sub.u32 %r2, %own, 256;
                        @%p2 ld.shared.b32 %r1, [%r2];
                        """),
                new Case(
                        "warps by a barrier of the block",
                        "st.shared.b32 [%own], %r0;\nbar.sync 0;\nld.shared.b32 %r1, [%across];\n"),
                new Case(
                        "pairs of warps by barriers of their own",
                        "st.shared.b32 [%own], %r0;\nbar.sync %id, 64;\nld.shared.b32 %r1, [%across];\n"),
                new Case("warps by a chain of barriers", """
                        setp.eq.u32 %p0, %warp, 0;
                        setp.eq.u32 %p1, %warp, 1;
                        setp.eq.u32 %p2, %warp, 2;
                        @%p0 st.shared.b32 [%own], %r0;
                        @%p0 bar.sync 1, 64;
                        @%p1 bar.sync 1, 64;
                        @%p1 bar.sync 2, 64;
                        @%p2 bar.sync 2, 64;
                        sub.u32 %r2, %own, 1024;
                        @%p2 ld.shared.b32 %r1, [%r2];
                        """),
                new Case("many readers and a writer after a barrier", """
                        ld.shared.b32 %r1, [buffer];
                        bar.sync 0;
                        setp.eq.u32 %p0, %thread, 77;
                        @%p0 st.shared.b32 [buffer], %r0;
                        """),
                new Case("neighbours that write bytes of one word", """
                        mov.u32 %r1, buffer;
                        add.u32 %r1, %r1, %thread;
                        st.shared.b8 [%r1], %r0;
                        ld.shared.b8 %r0, [%r1];
                        """),
                new Case("atomic operations", "red.shared.add.u32 [buffer], 1;\nred.shared.max.u32 [buffer], 5;\n"),
                new Case(
                        "atomic operations of several blocks",
                        2,
                        "atom.global.add.u32 %r1, [%memory], 1;\nred.global.max.u32 [%memory], 5;\n"),
                new Case("readers in several blocks", 2, "ld.global.b32 %r1, [%memory];\n"),
                new Case("threads in global memory by a barrier", """
                        st.global.b32 [%global_own], %r0;
                        bar.sync 0;
                        ld.global.b32 %r1, [%global_neighbour];
                        """));
    }

    static List<Case> races() {
        return List.of(
                new Case("write and read of two lanes", """
                        st.shared.b32 [%own], %r0;
                        ld.shared.b32 %r1, [%neighbour];
                        """),
                new Case("read and write of two lanes", """
                        ld.shared.b32 %r1, [%neighbour];
                        st.shared.b32 [%own], %r0;
                        """),
                new Case("two writes", "st.shared.b32 [buffer], %r0;\n"),
                new Case("a shuffle orders nothing", """
                        ld.shared.b32 %r1, [%neighbour];
                        shfl.sync.idx.b32 %r1, %r1, 0, 31, -1;
                        st.shared.b32 [%own], %r0;
                        """),
                new Case("a fence orders nothing by itself", """
                        ld.shared.b32 %r1, [%neighbour];
                        membar.cta;
                        st.shared.b32 [%own], %r0;
                        """),
                new Case("a barrier of the warp orders no other warps", """
                        ld.shared.b32 %r1, [%across];
                        bar.warp.sync -1;
                        st.shared.b32 [%own], %r0;
                        """),
                new Case("a barrier of the half warp orders no other lanes", """
                        ld.shared.b32 %r1, [%other_half];
                        bar.warp.sync %mask;
                        st.shared.b32 [%own], %r0;
                        """),
                new Case("a barrier of two warps orders no others", """
                        xor.b32 %r2, %thread, 64;
                        mov.u32 %r3, buffer;
                        mad.lo.u32 %r2, %r2, 16, %r3;
                        ld.shared.b32 %r1, [%r2];
                        bar.sync %id, 64;
                        st.shared.b32 [%own], %r0;
                        """),
                new Case("the last of three readers", """
                        setp.eq.u32 %p0, %thread, 127;
                        ld.shared.b32 %r1, [buffer];
                        @%p0 st.shared.b32 [buffer], %r0;
                        """),
                new Case("one byte of a word", """
                        setp.eq.u32 %p0, %thread, 0;
                        setp.eq.u32 %p1, %thread, 1;
                        @%p0 ld.shared.b32 %r1, [buffer];
                        @%p1 st.shared.b8 [buffer+3], %r0;
                        """),
                new Case("a word of a vector", """
                        setp.eq.u32 %p0, %thread, 0;
                        setp.eq.u32 %p1, %thread, 40;
                        @%p0 ld.shared.v4.b32 {%r0, %r1, %r2, %r3}, [buffer];
                        @%p1 st.shared.b32 [buffer+12], %r0;
                        """),
                new Case("atomic and plain", """
                        ld.shared.b32 %r1, [buffer];
                        red.shared.add.u32 [buffer], 1;
                        """),
                new Case("threads in global memory", """
                        ld.global.b32 %r1, [%global_neighbour];
                        st.global.b32 [%global_own], %r0;
                        """),
                new Case("atomic and plain of two blocks", 2, """
                        setp.eq.u32 %p0, %thread, 3;
                        setp.eq.u32 %p1, %block, 1;
                        and.pred %p1, %p1, %p0;
                        xor.pred %p0, %p0, %p1;
                        @%p1 red.global.add.u32 [%memory], 1;
                        @%p0 st.global.b32 [%memory], %r0;
                        """),
                new Case("the same thread of two blocks", 2, "st.global.b32 [%global_own], %r0;\n"));
    }

    static List<Case> ofBlocks() {
        return races().stream().filter(each -> each.blocks() > 1).toList();
    }

    private static void run(Case each, MachineOptions options) {
        try (KernelRunner runner = new KernelRunner(options, "race.ptx", PROLOGUE + each.body() + EPILOGUE)) {
            runner.launch(each.blocks(), THREADS, runner.zeros("memory", 16 * THREADS));
        }
    }

    @ParameterizedTest
    @MethodSource("ordered")
    void isOrdered(Case each) {
        Machines.checked().forEach(options -> run(each, options));
    }

    @ParameterizedTest
    @MethodSource("races")
    void isARace(Case each) {
        Machines.checked().forEach(options -> {
            PtxFault fault = catchThrowableOfType(PtxFault.class, () -> run(each, options));
            assertThat(fault).as("%s on %s", each, options).isNotNull();
            assertThat(fault.getMessage())
                    .matches("race\\.ptx:\\d+: test, block \\(\\d, 0, 0\\), warp \\d, lane \\d+: race: .*"
                            + " thread \\d+.* and was touched by thread \\d+.* with no barrier between, at '.*'");
            assertThat(fault.line())
                    .as(fault.getMessage())
                    .isBetween(
                            firstLine(), firstLine() + (int) each.body().lines().count() - 1);
        });
    }

    private static int firstLine() {
        return (int) PROLOGUE.lines().count() + 1;
    }

    @ParameterizedTest
    @MethodSource("ofBlocks")
    void namesBothBlocks(Case each) {
        PtxFault fault = catchThrowableOfType(PtxFault.class, () -> run(each, MachineOptions.checked()));
        assertThat(fault).hasMessageContaining(" of block 0 ").hasMessageContaining(" of block 1 ");
    }
}
