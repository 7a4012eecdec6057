package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FingerprintTest {

    @Test
    void ofOneArithmeticIsNotThatOfAnother() {
        String now = new Fingerprint().add("bits", 4).hex();

        assertThat(new Fingerprint(Fingerprint.ARITHMETIC).add("bits", 4).hex()).isEqualTo(now);
        assertThat(new Fingerprint(Fingerprint.ARITHMETIC - 1).add("bits", 4).hex())
                .isNotEqualTo(now);
        assertThat(new Fingerprint().add("bits", 3).hex()).isNotEqualTo(now);
    }
}
