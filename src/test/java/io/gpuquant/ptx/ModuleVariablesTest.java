package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ptx.syntax.PtxSyntaxException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Variables of a module in global and constant memory, and parameters of kernels. */
class ModuleVariablesTest {

    private static final String HEADER = ".version 7.4\n.target sm_80\n.address_size 64\n";

    static Stream<MachineOptions> machines() {
        return Machines.all().values().stream();
    }

    @ParameterizedTest
    @MethodSource("machines")
    void initialValuesAreThereForEveryTypeOfLoad(MachineOptions options) {
        String text = HEADER + """
                .const .align 8 .b8 mixed[16] = {0x80, 0xff, 0x7f, 1, 0xfe, 0xdc, 0xba, 0x98, 1, 2, 3, 4, 5, 6, 7, 8};
                .visible .entry test(.param .u64 out) {
                    .reg .b64 %out, %d<4>;
                    .reg .b32 %r<4>;
                    .reg .f32 %f;
                    .reg .f64 %g;
                    .reg .b16 %h<9>;
                    ld.param.u64 %out, [out];
                    ld.const.b8 %h0, [mixed];
                    ld.const.u8 %h1, [mixed+1];
                    ld.const.s8 %h2, [mixed];
                    ld.const.b16 %h3, [mixed];
                    ld.const.u16 %h4, [mixed+2];
                    ld.const.s16 %h5, [mixed];
                    ld.const.b32 %r0, [mixed];
                    ld.const.u32 %r1, [mixed+4];
                    ld.const.s32 %r2, [mixed+8];
                    ld.const.f32 %f, [mixed+12];
                    ld.const.b64 %d0, [mixed];
                    ld.const.u64 %d1, [mixed+8];
                    ld.const.s64 %d2, [mixed];
                    ld.const.f64 %g, [mixed+8];
                    st.global.b16 [%out], %h0;
                    st.global.b16 [%out+2], %h1;
                    st.global.b16 [%out+4], %h2;
                    st.global.b16 [%out+6], %h3;
                    st.global.b16 [%out+8], %h4;
                    st.global.b16 [%out+10], %h5;
                    st.global.b32 [%out+12], %r0;
                    st.global.b32 [%out+16], %r1;
                    st.global.b32 [%out+20], %r2;
                    st.global.f32 [%out+24], %f;
                    st.global.b32 [%out+28], 0;
                    st.global.b64 [%out+32], %d0;
                    st.global.b64 [%out+40], %d1;
                    st.global.b64 [%out+48], %d2;
                    st.global.f64 [%out+56], %g;
                }
                """;
        try (KernelRunner runner = new KernelRunner(options, "const.ptx", text)) {
            Allocation out = runner.empty("out", 64);
            runner.launch(1, 1, out);
            long first = 0x98badcfe017fff80L;
            long second = 0x0807060504030201L;
            assertThat(runner.readShorts(out))
                    .startsWith(0x80, 0xff, (short) 0xff80, (short) 0xff80, 0x017f, (short) 0xff80);
            assertThat(runner.readInts(out))
                    .containsSequence(
                            (int) first, (int) (first >>> 32), (int) second, (int) (second >>> 32), 0, (int) first);
            assertThat(runner.readLongs(out)).endsWith(first, second, first, second);
        }
    }

    @ParameterizedTest
    @MethodSource("machines")
    void globalVariablesKeepTheirValuesBetweenLaunches(MachineOptions options) {
        String text = HEADER + """
                .visible .global .align 4 .u32 counter = 5;
                .global .align 4 .f32 weights[3] = {1.5, 0f40000000};
                .global .align 8 .f64 precise = 0d3FF8000000000000;
                .visible .entry test(.param .u64 out) {
                    .reg .b64 %out, %at;
                    .reg .b32 %r<4>;
                    .reg .f32 %f<4>;
                    .reg .f64 %d;
                    ld.param.u64 %out, [out];
                    mov.u64 %at, counter;
                    cvta.global.u64 %at, %at;
                    atom.add.u32 %r0, [%at], 1;
                    st.global.u32 [%out], %r0;
                    mov.u64 %at, weights;
                    ld.global.f32 %f0, [weights];
                    ld.global.f32 %f1, [%at+4];
                    ld.global.f32 %f2, [weights+8];
                    ld.global.f64 %d, [precise];
                    cvt.rn.f32.f64 %f3, %d;
                    st.global.v2.f32 [%out+8], {%f0, %f1};
                    st.global.v2.f32 [%out+16], {%f2, %f3};
                    st.global.u32 [%out+4], %r0;
                }
                """;
        try (KernelRunner runner = new KernelRunner(options, "global.ptx", text)) {
            Allocation out = runner.empty("out", 24);
            runner.launch(1, 1, out);
            runner.launch(1, 1, out);
            assertThat(runner.readInts(out)[0]).isEqualTo(6);
            assertThat(runner.readFloats(out)).endsWith(1.5f, 2f, 0f, 1.5f);
        }
    }

    @Test
    void aVariableIsNamedWhereAnAccessRunsOverItsEnd() {
        String text = HEADER + """
                .global .align 4 .b8 table[10];
                .visible .entry test(.param .u64 out) {
                    .reg .b32 %r;
                    ld.global.b32 %r, [table+8];
                }
                """;
        try (KernelRunner runner = new KernelRunner(MachineOptions.fast(1), "table.ptx", text)) {
            assertThatThrownBy(() -> runner.launch(1, 1, 0L))
                    .isInstanceOf(PtxFault.class)
                    .hasMessageContaining("global load of 4 bytes at byte 8 of 'table' (10 bytes)");
        }
    }

    @Test
    void aModuleThatFailsLeavesNoMemoryBehind() {
        try (VirtualGpu gpu = new VirtualGpu(MachineOptions.fast(1))) {
            String text = HEADER + ".global .b32 lost;\n.visible .entry test() { nonsense; }\n";
            assertThatThrownBy(() -> gpu.compile("bad.ptx", text)).isInstanceOf(PtxSyntaxException.class);
            Allocation other = gpu.memory().allocate("other", 16);
            assertThat(gpu.memory().describe(other.base() - 1000)).contains("below every allocation");
        }
    }

    @ParameterizedTest
    @MethodSource("machines")
    void parametersOfEveryTypeArriveInRegistersOfTheirWidthAndWider(MachineOptions options) {
        String text = HEADER + """
                .visible .entry test(
                    .param .u64 .ptr .global .align 16 out,
                    .param .u8 a,
                    .param .s16 b,
                    .param .s32 c,
                    .param .f32 d,
                    .param .f64 e,
                    .param .b64 f
                ) {
                    .reg .b64 %out, %w<12>;
                    .reg .b32 %r<8>;
                    .reg .b16 %h<6>;
                    .reg .f32 %f;
                    .reg .f64 %g;
                    ld.param.u64 %out, [out];
                    ld.param.b8 %h0, [a];
                    ld.param.u8 %h1, [a];
                    ld.param.s8 %h2, [a];
                    ld.param.b16 %h3, [b];
                    ld.param.u16 %h4, [b];
                    ld.param.s16 %h5, [b];
                    ld.param.b32 %r0, [c];
                    ld.param.u32 %r1, [c];
                    ld.param.s32 %r2, [c];
                    ld.param.f32 %f, [d];
                    ld.param.f64 %g, [e];
                    ld.param.b64 %w0, [f];
                    ld.param.s64 %w1, [f];
                    ld.param.s8 %w2, [a];
                    ld.param.s16 %r3, [b];
                    ld.param.s32 %w3, [c];
                    ld.param.u32 %w4, [f+4];
                    cvt.s64.s16 %w5, %h0;
                    cvt.s64.s16 %w6, %h1;
                    cvt.s64.s16 %w7, %h2;
                    cvt.s64.s16 %w8, %h3;
                    cvt.s64.s16 %w9, %h4;
                    cvt.s64.s16 %w10, %h5;
                    st.global.v2.b64 [%out], {%w5, %w6};
                    st.global.v2.b64 [%out+16], {%w7, %w8};
                    st.global.v2.b64 [%out+32], {%w9, %w10};
                    st.global.v4.b32 [%out+48], {%r0, %r1, %r2, %r3};
                    st.global.f64 [%out+64], %g;
                    st.global.f32 [%out+72], %f;
                    st.global.b32 [%out+76], 0;
                    st.global.v2.b64 [%out+80], {%w0, %w1};
                    st.global.v2.b64 [%out+96], {%w2, %w3};
                    st.global.b64 [%out+112], %w4;
                }
                """;
        try (KernelRunner runner = new KernelRunner(options, "parameters.ptx", text)) {
            Allocation out = runner.empty("out", 120);
            // One word holds the byte and, from its second half on, the short.
            runner.launch(1, 1, out, 0x8001_00f0, -7, 2.5f, -0.125, 0x8000_0000_1234_5678L);
            assertThat(runner.readLongs(out))
                    .containsExactly(
                            0xf0,
                            0xf0,
                            -16,
                            (short) 0x8001,
                            (short) 0x8001,
                            (short) 0x8001,
                            0xffff_fff9_ffff_fff9L,
                            0xffff_8001_ffff_fff9L,
                            Double.doubleToRawLongBits(-0.125),
                            Float.floatToRawIntBits(2.5f),
                            0x8000_0000_1234_5678L,
                            0x8000_0000_1234_5678L,
                            -16,
                            -7,
                            0x8000_0000L);
        }
    }
}
