package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ptx.syntax.PtxSyntaxException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is not PTX, or not known, is refused with file, line and instruction. */
class SyntaxErrorTest {

    private static VirtualGpu gpu;

    @BeforeAll
    static void open() {
        gpu = new VirtualGpu(MachineOptions.checked());
    }

    @AfterAll
    static void close() {
        gpu.close();
    }

    /** Compiles an instruction in the sixth line. */
    private static void compile(String instruction) {
        gpu.compile("broken.ptx", """
                .version 7.4
                .target sm_80
                .address_size 64
                .visible .entry test(.param .u64 p) {
                    .reg .b16 %%h<4>; .reg .b32 %%r<4>; .reg .b64 %%d<4>; .reg .f32 %%f<4>; .reg .pred %%p<4>; .shared .b32 s;
                    %s
                    here: ret;
                }
                """.formatted(instruction));
    }

    @ParameterizedTest
    @CsvSource(delimiterString = "=>", quoteCharacter = '`', textBlock = """
                    frobnicate.b32 %r0, %r1;            => the instruction 'frobnicate.b32' is not supported
                    add.weird.u32 %r0, %r1, %r2;        => 'add.weird.u32' has the modifier '.weird', which is not supported
                    add.rn.rn.f32 %f0, %f1, %f2;        => 'add.rn.rn.f32' has the modifier '.rn', which is not supported
                    add.b32 %r0, %r1, %r2;              => 'add.b32' is not supported for .b32
                    add.pred %p0, %p1, %p2;             => the instruction 'add.pred' is not supported
                    mov %r0, %r1;                       => 'mov' has no type
                    mov.word %r0, %r1;                  => 'mov.word' ends with '.word', which is not a type
                    and.u32 %r0, %r1, %r2;              => 'and.u32' is not supported for .u32
                    add.u32 %d0, %r1, %r2;              => 'add.u32 %d0, %r1, %r2' uses %d0, declared as .b64, where it needs a .u32
                    add.u64 %d0, %d1, %r2;              => uses %r2, declared as .b32, where it needs a .u64
                    add.u16 %h0, %r1, %h2;              => uses %r1, declared as .b32, where it needs a .u16
                    add.u32 %f0, %r1, %r2;              => uses %f0, declared as .f32, where it needs a .u32
                    add.f32 %f0, %p1, %f2;              => uses %p1, declared as .pred, where it needs a .f32
                    mul.wide.u32 %r0, %r1, %r2;         => uses %r0, declared as .b32, where it needs a .u64
                    cvt.u32.f32 %r0, %f0;               => 'cvt.u32.f32' is not supported
                    cvt.rn.f32.f16 %f0, %h0;            => 'cvt.rn.f32.f16' is not supported
                    add.u32 %r0, %x, %r2;               => cannot read %x
                    add.u32 %r0, x, %r2;                => cannot read x
                    add.u32 %r0, %r1;                   => 'add.u32 %r0, %r1' takes 3 operands, not 2
                    add.u32 %r0, %r1, %r2, %r3;         => takes 3 operands, not 4
                    add.u32 1, %r1, %r2;                => needs a register, not 1
                    add.u32 %r0, %tid.x, %r1;           => cannot read %tid.x
                    mov.u32 %r0, %unknown;              => reads %unknown, which is not declared and not known
                    mov.u64 %d0, %tid.x;                => reads %tid.x, which is 32 bits wide, as .u64
                    mov.u32 %r0, missing;               => names 'missing', which is not declared
                    mov.f32 %f0, s;                     => takes an address as .f32
                    bra nowhere;                        => 'bra nowhere' names a label that is not there
                    brx.idx %r0, nowhere;               => names a list of branch targets that is not there
                    bra.fast here;                      => 'bra.fast' has the modifier '.fast', which is not supported
                    ret.fast;                           => 'ret.fast' has the modifier '.fast', which is not supported
                    exit %r0;                           => takes 0 operands, not 1
                    @%r0 add.u32 %r0, %r1, %r2;         => is guarded by '%r0', not a predicate
                    @%q add.u32 %r0, %r1, %r2;          => the predicate '%q' is not declared
                    setp.lo.s32 %p0, %r1, %r2;          => 'setp.lo.s32' compares .s32 by a relation that it does not have
                    setp.lt.b32 %p0, %r1, %r2;          => compares .b32 by a relation that it does not have
                    setp.lo.f32 %p0, %f1, %f2;          => 'setp.lo.f32' compares floats by a relation of integers
                    setp.eq.f16 %p0|%p1, %h1, %h2;      => 'setp.eq.f16' has one predicate target only
                    selp.b32 %r0, %r1, %r2, !%p0;       => takes a predicate that is not negated
                    selp.b32 %r0, %r1, %r2, %r3;        => uses %r3, declared as .b32, where it needs a .pred
                    mov.u32 %r0, 4294967296;            => which does not fit into .u32
                    mov.u16 %h0, -32769;                => uses -32769, which does not fit into .u16
                    add.f32 %f0, %f1, 1;                => uses the integer 1 as a float; write it as 0f..., 0d... or 1.0
                    add.u32 %r0, %r1, 1.5;              => uses the float 0d3FF8000000000000 as .u32
                    mov.b32 %r0, 1.5;                   => uses the 64-bit float 0d3FF8000000000000 as 32 plain bits
                    mov.b64 %d0, 0f3F800000;            => uses the 32-bit float 0f3F800000 as 64 plain bits
                    ld.global.u32 %r0, %d0;             => needs an address in brackets, not %d0
                    ld.global.u32 %r0, [%r1];           => needs a 64-bit address
                    ld.global.u32 %r0, [s];             => names 's', which does not lie in the space
                    ld.shared.u32 %r0, [16];            => cannot use 16 as an address
                    ld.global.v4.b64 {%d0, %d1, %d2, %d3}, [%d0]; => 'ld.global.v4.b64' accesses more than 16 bytes
                    ld.global.v2.b32 {%h0, %h1}, [%d0]; => uses %h0, declared as .b16, where it needs a .b32
                    ld.global.v2.b32 {%r0, %h1}, [%d0]; => names registers of different widths
                    ld.global.v2.b8 {%r0, %h1}, [%d0];  => names registers of different widths
                    ld.global.v2.b32 %r0, [%d0];        => needs 2 registers
                    ld.param.u32 %r0, [q];              => names a parameter that is not there
                    ld.param.u64 %d0, [p+4];            => reads outside the parameter
                    ld.param.u64 %d0, [%d1];            => needs the name of a parameter in brackets
                    st.const.u32 [%d0], %r0;            => 'st.const.u32' writes what is constant
                    cp.async.cg.shared.global [%r0], [%d0], 4; => copies 4, 8 or 16 bytes, with .cg only 16
                    cp.async.wait_group -1;             => waits for a negative number of groups
                    cp.async.wait_group %r0;            => needs a literal integer, not %r0
                    bar.sync 16;                        => names a barrier that is not one of the 16
                    bar.sync 0, 33;                     => is for a number of threads that is not a multiple of 32
                    shfl.idx.b32 %r0, %r1, 0, 31;       => 'shfl.idx.b32' is supported with .sync only
                    lop3.b32 %r0, %r1, %r2, %r3, 256;   => needs a table from 0 to 255
                    mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f0, %f1, %f2}, {%r0, %r1}, {%r2}, {%f0, %f1, %f2, %f3}; => needs 4 registers in braces, not {%f0, %f1, %f2}
                    mma.sync.aligned.m16n8k4.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r1}, {%r2}, {%f0, %f1, %f2, %f3}; => is not supported
                    tex.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [x]; => the instruction 'tex.2d.v4.f32.f32' is not supported
                    """)
    void namesFileLineAndInstruction(String instruction, String problem) {
        assertThatThrownBy(() -> compile(instruction))
                .isInstanceOf(PtxSyntaxException.class)
                .hasMessageStartingWith("broken.ptx:6: ")
                .hasMessageContaining(problem);
    }

    @ParameterizedTest
    @CsvSource(delimiterString = "=>", quoteCharacter = '`', textBlock = """
                    mov.u32 %r0, 08;                    => '08' is not a number that fits into 64 bits
                    mov.u32 %r0, 0x;                    => '0x' is not a number
                    mov.u32 %r0, 12ab;                  => '12ab' is not a number
                    mov.u32 %r0, 0b12;                  => '0b12' is not a number
                    mov.u64 %d0, 18446744073709551616;  => is not a number that fits into 64 bits
                    mov.f32 %f0, 0f3F80;                => '0f3F80' is not a number
                    mov.f32 %f0, -0f3F800000;           => '0f3F800000' is not a number
                    mov.f32 %f0, 1.5.2;                 => '1.5.2' is not a number
                    mov.u32 %r0, (1);                   => expected an operand, found '('
                    mov.u32 %r0 %r1;                    => expected ';', found '%r1'
                    mov.u32 %r0, - x;                   => expected a number, found 'x'
                    ld.global.u32 %r0, [%d0-4];         => expected '+', found '-'
                    ld.global.u32 %r0, [%d0+%r1];       => expected a number, found '%r1'
                    ld.global.u32 %r0, [%d0+1.5];       => an address offset must be an integer
                    .reg .b32 %r0;                      => the register '%r0' is declared twice
                    .reg .bf16 %b;                      => registers of type '.bf16' are not supported; use plain bits
                    .reg .vec %b;                       => expected a type, found '.vec'
                    .shared .b32 v = 3;                 => only '.global' and '.const' variables may have initial values
                    .shared .b32 v[];                   => 'v' must have a size unless it is '.extern .shared'
                    .shared .b32 v[65536][65536];       => 'v' is too large
                    .param .b32 q;                      => the directive '.param' is not supported in a kernel
                    .surprise;                          => the directive '.surprise' is not supported in a kernel
                    .branchtargets here;                => the directive '.branchtargets' is not supported in a kernel
                    call foo;                           => the instruction 'call' is not supported
                    ?                                   => unexpected character '?'
                    """)
    void namesFileAndLineOfWhatIsNotPtx(String text, String problem) {
        assertThatThrownBy(() -> compile(text))
                .isInstanceOf(PtxSyntaxException.class)
                .hasMessageStartingWith("broken.ptx:6: ")
                .hasMessageContaining(problem);
    }

    @ParameterizedTest
    @CsvSource(delimiterString = "=>", quoteCharacter = '`', textBlock = """
                    .target sm_80                                             => broken.ptx:1: expected '.version' first, found '.target'
                    .version seven                                            => broken.ptx:1: expected a version such as 7.4, found 'seven'
                    .version 74                                               => broken.ptx:1: expected a version such as 7.4, found '74'
                    .version 7.4 .entry                                       => broken.ptx:1: expected '.target', found '.entry'
                    .version 7.4 .target sm_80 .address_size 32               => broken.ptx:1: only '.address_size 64' is supported
                    .version 7.4 .target sm_80 .func f() { }                  => broken.ptx:1: the directive '.func' is not supported
                    .version 7.4 .target sm_80 add.u32;                       => broken.ptx:1: expected a directive, found 'add'
                    .version 7.4 .target sm_80 .entry k( .reg .b32 x ) { }    => broken.ptx:1: expected '.param', found '.reg'
                    .version 7.4 .target sm_80 .entry k( .param .b8 x[4] ) { } => broken.ptx:1: parameters passed by value as structures are not supported
                    .version 7.4 .target sm_80 .entry k() .fast 3 { }         => broken.ptx:1: the directive '.fast' is not supported before a kernel's body
                    .version 7.4 .target sm_80 .entry k() .maxntid x { }      => broken.ptx:1: expected a number, found 'x'
                    .version 7.4 .target sm_80 .entry k() { ret;              => broken.ptx:1: expected an instruction, found the end of the file
                    .version 7.4 .target sm_80 .entry k() { .pragma "x"       => broken.ptx:1: expected ';' before the end of the file
                    .version 7.4 .target sm_80 .entry k() { a: a: ret; }      => broken.ptx:1: the label 'a' is defined twice
                    .version 7.4 .target sm_80 .global .b32 v[2] = {1, 2, 3}; => broken.ptx:1: 'v' has more initial values than elements
                    .version 7.4 .target sm_80 .global .b32 v = 1.5;          => broken.ptx:1: '1.5' cannot initialize a variable of type .b32
                    .version 7.4 .target sm_80 .global .f32 v = 1;            => broken.ptx:1: '1' cannot initialize a variable of type .f32
                    """)
    void namesFileAndLineAroundKernels(String text, String problem) {
        assertThatThrownBy(() -> gpu.compile("broken.ptx", text))
                .isInstanceOf(PtxSyntaxException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void countsLinesThroughCommentsAndLongInstructions() {
        String text =
                ".version 7.4 // one\n/* two\nthree */ .target sm_80\n.entry k() {\n.reg .b32 %r;\nadd.u32\n%r,\n%r, 1.5; }";
        assertThatThrownBy(() -> gpu.compile("long.ptx", text)).hasMessageStartingWith("long.ptx:6: 'add.u32 %r, %r, ");
    }
}
