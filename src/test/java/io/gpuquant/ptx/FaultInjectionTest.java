package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Kernels that are sound run clean; each way to break them is found, and the message says where. */
class FaultInjectionTest {

    /**
     * A way to break a kernel.
     *
     * @param original text to replace, which must be there
     * @param at part of the line that the fault must point to, one of those that bars separate
     * @param message part of what it must say, likewise; which thread comes first differs between machines
     */
    record Injection(String name, String original, String replacement, String at, String message) {

        String applyTo(String text) {
            assertThat(text).contains(original);
            return text.replace(original, replacement);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static List<Injection> quantizeInjections() {
        return List.of(
                new Injection(
                        "missing barrier",
                        "    bar.sync 0;\n",
                        "",
                        "ld.shared.b32 %word|ld.shared.f32 %scale",
                        "race: shared byte |which was never written"),
                new Injection(
                        "uninitialised register",
                        "    mov.f32 %best, 0f00000000;\n",
                        "",
                        "max.f32 %best, %best, %a0",
                        "reads the uninitialised register %best"),
                new Injection(
                        "misaligned vector load",
                        "[%matrix];",
                        "[%matrix+4];",
                        "ld.global.v4.f32",
                        "is not aligned to 16 bytes"),
                new Injection(
                        "shuffle in a branch",
                        "    shfl.sync.bfly.b32 %other, %best, 8,",
                        "    setp.lt.u32 %first, %lane, 16;\n@%first shfl.sync.bfly.b32 %other, %best, 8,",
                        "shfl.sync.bfly.b32 %other, %best",
                        "divergent synchronization: lanes 0x"),
                new Injection(
                        "member mask without the lane",
                        "8, 31, 0xffffffff;",
                        "8, 31, 0x7fffffff;",
                        "shfl.sync.bfly.b32 %other, %best, 8",
                        "the lane is not in the member mask 0x7fffffff"),
                new Injection(
                        "early exit before the barrier",
                        "    // Through shared memory",
                        "    setp.gt.u32 %first, %thread, 60;\n@%first exit;\n    // Through shared memory",
                        "ld.shared.b32 %word",
                        "which was never written"),
                new Injection(
                        "padding overrun into the next variable",
                        "    mad.lo.u32 %at, %warp, 132, %at;\n",
                        "    mad.lo.u32 %at, %warp, 136, %at;\n",
                        "st.shared.b32 [%at], %word",
                        " bytes past the end of 'tile'"),
                new Injection(
                        "threads of a block write the same word",
                        "    mad.lo.u32 %at, %column, %rows, %row;\n",
                        "    mov.u32 %at, %row;\n",
                        "st.global.b32 [%words]",
                        "race: byte "),
                new Injection(
                        "blocks write the same word",
                        "    mad.lo.u32 %row, %row, 4, %unit;\n",
                        "    mov.u32 %row, %unit;\n",
                        "st.global.b32 [%words]",
                        " of block 0 with no barrier between| of block 1 with no barrier between| of block 2 with no barrier between"),
                new Injection(
                        "barrier in a branch",
                        "    bar.sync 0;\n",
                        "    setp.lt.u32 %first, %lane, 16;\n@%first bar.sync 0;\n@!%first bar.sync 0;\n",
                        "bar.sync 0;",
                        "divergent synchronization: lanes 0x"),
                new Injection(
                        "barrier that too few come to",
                        "    bar.sync 0;\n",
                        "    bar.sync 3, 160;\n",
                        "bar.sync 3, 160",
                        "deadlock: barrier 3 is for 160 threads, but 128 threads came to it"),
                new Injection(
                        "barrier that too many come to",
                        "    bar.sync 0;\n",
                        "    bar.sync 3, 64;\n",
                        "bar.sync 3, 64",
                        "deadlock: barrier 3 is for 64 threads, but 128 threads came to it"),
                new Injection(
                        "barriers that wait for one another",
                        "    bar.sync 0;\n",
                        "    bar.sync %warp;\n",
                        "bar.sync %warp",
                        "deadlock: barrier "),
                new Injection(
                        "endless loop",
                        "    bar.sync 0;\n",
                        "again: bra again;\n",
                        "again: bra again",
                        "stuck in a loop"),
                new Injection(
                        "member mask that names ended lanes",
                        "    bar.sync 0;\n",
                        "    setp.eq.u32 %first, %lane, 9;\n@%first exit;\n    bar.warp.sync -1;\n",
                        "bar.warp.sync -1",
                        "names lanes that have ended; live are 0xfffffdff"),
                new Injection(
                        "store past the end of the matrix",
                        "    st.global.b32 [%words], %word;",
                        "    st.global.b32 [%words+4000], %word;",
                        "st.global.b32 [%words+4000]",
                        "bytes past the end of 'words' (1536 bytes)"),
                new Injection(
                        "null pointer",
                        "    add.u64 %words, %words, %offset;",
                        "    mov.u64 %words, 0;",
                        "st.global.b32 [%words]",
                        "global store of 4 bytes at 0x0, below every allocation"),
                new Injection(
                        "trap",
                        "    bar.sync 0;\n",
                        "    setp.eq.u32 %first, %thread, 70;\n@%first trap;\n    bar.sync 0;\n",
                        "@%first trap",
                        "warp 2, lane 6: the kernel trapped"));
    }

    static List<Injection> gemmInjections() {
        return List.of(
                new Injection(
                        "waits for too few groups",
                        "cp.async.wait_group 1;",
                        "cp.async.wait_group 2;",
                        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a0",
                        "while a cp.async to it is in flight"),
                new Injection(
                        "does not wait",
                        "    cp.async.wait_group 1;\n",
                        "",
                        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a0",
                        "while a cp.async to it is in flight"),
                new Injection(
                        "no barrier after the wait",
                        "    bar.sync 0;\n",
                        "",
                        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%",
                        "in flight|race: shared byte "),
                new Injection(
                        "copies into the stage that others still read",
                        "    mov.u32 %stage_in, 4608;",
                        "    mov.u32 %stage_in, 0;",
                        "cp.async.cg.shared.global [%to], [%a], 16|ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a0",
                        "race: shared byte |in flight"),
                new Injection(
                        "misaligned rows",
                        "    mad.lo.u32 %read_a, %t, 48, %read_a;",
                        "    mad.lo.u32 %read_a, %t, 40, %read_a;",
                        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a0",
                        "is not aligned to 16 bytes"),
                new Injection(
                        "writes where a copy is under way",
                        "ahead:\n",
                        "ahead:\n    st.shared.b32 [%copy_a], 0;\n",
                        "st.shared.b32 [%copy_a], 0",
                        " of 'stages' while a cp.async to it is in flight"),
                new Injection(
                        "copies from past the end",
                        "[%copy_a], [%a], 16;",
                        "[%copy_a], [%a+16384], 16;",
                        "cp.async.cg.shared.global [%copy_a], [%a+16384]",
                        "bytes past the end of 'a'"),
                new Injection(
                        "copies to past the end",
                        "    add.u32 %to, %copy_b, %stage_in;",
                        "    add.u32 %to, %copy_b, 6144;",
                        "@%loads_b cp.async.cg.shared.global [%to]",
                        "past the end of 'stages'"),
                new Injection(
                        "matrix product with a lane gone",
                        "    mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32\n        {%c0",
                        "    setp.eq.u32 %more, %lane, 31;\n@%more exit;\n"
                                + "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32\n        {%c0",
                        "mma.sync.aligned.m16n8k16",
                        "lane 31: mma needs all 32 lanes"));
    }

    static List<MachineOptions> checkedMachines() {
        return Machines.checked().toList();
    }

    static List<MachineOptions> allMachines() {
        return List.copyOf(Machines.all().values());
    }

    @ParameterizedTest
    @MethodSource("allMachines")
    void soundKernelsRunClean(MachineOptions options) {
        QuantizeKernel.run(options, KernelRunner.text(QuantizeKernel.PATH), 0);
        GemmKernel.run(options, KernelRunner.text(GemmKernel.PATH));
    }

    @ParameterizedTest
    @MethodSource("quantizeInjections")
    void findsWhatBreaksTheQuantizer(Injection injection) {
        requireFound(
                injection, QuantizeKernel.PATH, "quantize", text -> options -> QuantizeKernel.run(options, text, 0));
    }

    @ParameterizedTest
    @MethodSource("gemmInjections")
    void findsWhatBreaksTheMatrixProduct(Injection injection) {
        requireFound(injection, GemmKernel.PATH, "gemm", text -> options -> GemmKernel.run(options, text));
    }

    private static void requireFound(
            Injection injection,
            String path,
            String kernel,
            java.util.function.Function<String, Consumer<MachineOptions>> runner) {
        String text = injection.applyTo(KernelRunner.text(path));
        Consumer<MachineOptions> run = runner.apply(text);
        checkedMachines().forEach(options -> {
            PtxFault fault = catchThrowableOfType(PtxFault.class, () -> run.accept(options));
            assertThat(fault).as("%s on %s", injection, options).isNotNull();
            String line = text.lines().toList().get(fault.line() - 1);
            assertThat(fault)
                    .hasMessageStartingWith(path + ":" + fault.line() + ": " + kernel + ", block (")
                    .hasMessageContaining("), warp ");
            assertThat(fault.getMessage()).matches(message -> isIn(message, injection.message()), injection.message());
            assertThat(line).as(fault.getMessage()).matches(found -> isIn(found, injection.at()), injection.at());
        });
    }

    private static boolean isIn(String text, String alternatives) {
        return Arrays.stream(alternatives.split("\\|")).anyMatch(text::contains);
    }

    @ParameterizedTest
    @MethodSource("allMachines")
    void findsAGridLargerThanTheMatrix(MachineOptions options) {
        String text = KernelRunner.text(QuantizeKernel.PATH);
        PtxFault fault = catchThrowableOfType(PtxFault.class, () -> QuantizeKernel.run(options, text, 1));
        assertThat(fault)
                .hasMessageContaining("quantize, block (3, 0, 0), warp ")
                .hasMessageContaining("global load of 16 bytes at ")
                .hasMessageContaining("bytes past the end of 'matrix' (6144 bytes)");
    }

    @Test
    void findsReadsOfMemoryThatNobodyHasWritten() {
        try (KernelRunner runner = KernelRunner.ofResource(MachineOptions.checked(), QuantizeKernel.PATH)) {
            Allocation matrix = runner.empty("matrix", 4 * 512);
            Allocation words = runner.empty("words", 512);
            Allocation scales = runner.empty("scales", 16);
            PtxFault fault =
                    catchThrowableOfType(PtxFault.class, () -> runner.launch(1, 128, matrix, words, scales, 4));
            assertThat(fault)
                    .hasMessageContaining("warp 0, lane 0: read of byte 0 of 'matrix', which was never written");
        }
    }

    @Test
    void findsThatOneBlockReadsWhatAnotherWrites() {
        try (KernelRunner runner = KernelRunner.ofResource(MachineOptions.checked(), QuantizeKernel.PATH)) {
            Allocation matrix = runner.floats("matrix", QuantizeKernel.matrix(8));
            Allocation scales = runner.empty("scales", 32);
            // The words go over the rows that the second block reads.
            PtxFault fault = catchThrowableOfType(
                    PtxFault.class, () -> runner.launch(2, 128, matrix, matrix.base() + 2048, scales, 8));
            assertThat(fault)
                    .hasMessageContaining("of 'matrix' is read by thread 0 of block 1 and was touched by thread ")
                    .hasMessageContaining("of block 0 with no barrier between");
        }
    }

    @Test
    void launchesAreOrdered() {
        try (KernelRunner runner = KernelRunner.ofResource(MachineOptions.checked(), QuantizeKernel.PATH)) {
            Allocation matrix = runner.floats("matrix", QuantizeKernel.matrix(4));
            Allocation words = runner.empty("words", 512);
            Allocation scales = runner.empty("scales", 16);
            runner.launch(1, 128, matrix, words, scales, 4);
            int[] first = runner.readInts(words);
            runner.launch(1, 128, matrix, words, scales, 4);
            assertThat(runner.readInts(words)).isEqualTo(first);
        }
    }
}
