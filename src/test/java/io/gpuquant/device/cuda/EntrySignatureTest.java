package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelModule;
import org.junit.jupiter.api.Test;

class EntrySignatureTest {

    private static final KernelModule MODULE = new KernelModule("signatures.ptx", """
            // .entry commented(.param .u64 p)
            .visible .entry longer_name(
                .param .u64 .ptr .global .align 16 a, // the (first) one
                .param .align 4 .f32 b,
                .param .b16 c, /* ), .param .u64 not */
                .param .align 8 .b8 d[24]
            )
            .maxntid 256, 1, 1
            { ret; }
            .entry longer() .maxntid 32 { ld.param.u64 %rd1, [x]; }
            .entry bare
            { ret; }
            """);

    @Test
    void readsSizesOfEveryKindOfParameter() {
        assertThatThrownBy(() -> signature("longer_name").requireFit(new KernelArguments().list()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("longer_name of signatures.ptx, whose parameters have [8, 4, 2, 24] bytes");
    }

    @Test
    void readsKernelsWithoutParameters() {
        assertThatCode(() -> signature("longer").requireFit(new KernelArguments().list()))
                .doesNotThrowAnyException();
        assertThatThrownBy(() -> signature("bare")
                        .requireFit(new KernelArguments().int32(1).list()))
                .hasMessageContaining("[INT32] for bare of signatures.ptx, whose parameters have []");
    }

    @Test
    void findsNoKernelThatIsOnlyMentioned() {
        assertThat(EntrySignature.of(MODULE.entry("commented"))).isEmpty();
        assertThat(EntrySignature.of(MODULE.entry("long"))).isEmpty();
    }

    private static EntrySignature signature(String name) {
        return EntrySignature.of(MODULE.entry(name)).orElseThrow();
    }
}
