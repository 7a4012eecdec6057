package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AwqSchemeTest {

    /** The examples of AutoAWQ's {@code calculate_zeros_width}. */
    @ParameterizedTest
    @CsvSource({
        "4096, 128, 4",
        "11008, 128, 11",
        "14336, 128, 14",
        "28672, 128, 28",
        "1536, 128, 2",
        "1536, 64, 4",
        "896, 128, 1",
        "4096, 64, 8",
        "4096, 32, 16"
    })
    void padsZeroPointsAsTheGemvKernelsReadThem(int in, int groupSize, int words) {
        assertThat(new AwqScheme(groupSize, false, AwqVersion.GEMV).paddedZeroWords(in))
                .isEqualTo(words);
    }

    @Test
    void saysWhatTheLayoutsCannotHold() {
        AwqScheme gemm = new AwqScheme(64, false, AwqVersion.GEMM);
        assertThat(gemm.obstacle(128, 24)).isEmpty();
        assertThat(gemm.obstacle(128, 20))
                .hasValueSatisfying(reason -> assertThat(reason).contains("20 output features"));
        assertThat(gemm.obstacle(96, 24))
                .hasValueSatisfying(reason -> assertThat(reason).contains("96 input features"));
        AwqScheme gemv = new AwqScheme(64, false, AwqVersion.GEMV);
        assertThat(gemv.obstacle(128, 20)).isEmpty();
        assertThat(new AwqScheme(132, false, AwqVersion.GEMV).obstacle(132, 8)).isPresent();
    }

    @Test
    void refusesGroupsThatAreNone() {
        assertThatThrownBy(() -> new AwqScheme(0, false, AwqVersion.GEMM)).hasMessageContaining("groups of 0");
        assertThatThrownBy(() -> new AwqScheme(48, false, AwqVersion.GEMV)).hasMessageContaining("GEMV");
        assertThatThrownBy(() -> new AwqScheme(-1, false, AwqVersion.GEMV)).hasMessageContaining("GEMV");
    }

    @Test
    void countsOneGroupForAllWhereThereIsNoSize() {
        AwqScheme scheme = new AwqScheme(-1, false, AwqVersion.GEMM);
        assertThat(scheme.groups(4096)).isEqualTo(1);
        assertThat(scheme.groupSize(4096)).isEqualTo(4096);
        assertThat(scheme.bits()).isEqualTo(4);
    }
}
