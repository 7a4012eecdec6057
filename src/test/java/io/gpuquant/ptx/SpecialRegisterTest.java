package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Predefined registers in three dimensions: each thread of each block writes where it is. */
class SpecialRegisterTest {

    private static final int[] GRID = {3, 2, 2};
    private static final int[] BLOCK = {5, 3, 4};
    private static final int FIELDS = 16;

    private static final String TEXT = """
            .version 7.4
            .target sm_80
            .address_size 64
            .extern .shared .align 16 .b8 dynamic[];
            .visible .entry where(.param .u64 out) {
                .reg .b64 %out;
                .reg .b32 %r<20>, %thread, %block, %at;
                ld.param.u64 %out, [out];
                mov.u32 %r0, %tid.x;
                mov.u32 %r1, %tid.y;
                mov.u32 %r2, %tid.z;
                mov.u32 %r3, %ntid.x;
                mov.u32 %r4, %ntid.y;
                mov.u32 %r5, %ntid.z;
                mov.u32 %r6, %ctaid.x;
                mov.u32 %r7, %ctaid.y;
                mov.u32 %r8, %ctaid.z;
                mov.u32 %r9, %nctaid.x;
                mov.u32 %r10, %nctaid.y;
                mov.u32 %r11, %nctaid.z;
                mov.u32 %r12, %laneid;
                mov.u32 %r13, %warpid;
                mov.u32 %r14, %nwarpid;
                mov.u32 %r15, %dynamic_smem_size;
                mad.lo.u32 %thread, %r2, %r4, %r1;
                mad.lo.u32 %thread, %thread, %r3, %r0;
                mad.lo.u32 %block, %r8, %r10, %r7;
                mad.lo.u32 %block, %block, %r9, %r6;
                mad.lo.u32 %at, %block, 60, %thread;
                mad.wide.u32 %out, %at, 64, %out;
                st.global.v4.b32 [%out], {%r0, %r1, %r2, %r3};
                st.global.v4.b32 [%out+16], {%r4, %r5, %r6, %r7};
                st.global.v4.b32 [%out+32], {%r8, %r9, %r10, %r11};
                st.global.v4.b32 [%out+48], {%r12, %r13, %r14, %r15};
            }
            """;

    static Stream<MachineOptions> machines() {
        return Stream.concat(Machines.all().values().stream(), Stream.of(MachineOptions.fast(3)));
    }

    @ParameterizedTest
    @MethodSource("machines")
    void tellEachThreadWhereItIs(MachineOptions options) {
        try (KernelRunner runner = new KernelRunner(options, "where.ptx", TEXT)) {
            int threads = BLOCK[0] * BLOCK[1] * BLOCK[2];
            int blocks = GRID[0] * GRID[1] * GRID[2];
            Allocation out = runner.empty("out", 4L * FIELDS * threads * blocks);
            runner.launch(GRID, BLOCK, 48, out);
            int[] found = runner.readInts(out);
            for (int i = 0; i < threads * blocks; i++) {
                int thread = i % threads;
                int block = i / threads;
                int[] expected = {
                    thread % 5,
                    thread / 5 % 3,
                    thread / 15,
                    5,
                    3,
                    4,
                    block % 3,
                    block / 3 % 2,
                    block / 6,
                    3,
                    2,
                    2,
                    thread % 32,
                    thread / 32,
                    2,
                    48
                };
                assertThat(java.util.Arrays.copyOfRange(found, FIELDS * i, FIELDS * (i + 1)))
                        .isEqualTo(expected);
            }
        }
    }
}
