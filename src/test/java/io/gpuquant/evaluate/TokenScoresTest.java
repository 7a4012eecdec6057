package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class TokenScoresTest {

    private final TokenScores scores = new TokenScores(new float[][] {{-1, -2}, {-0.5f, -4.5f}, {0, -4}});

    @Test
    void countsTokens() {
        assertThat(scores.sequences()).isEqualTo(3);
        assertThat(scores.tokens()).isEqualTo(6);
    }

    @Test
    void averagesOverTokens() {
        assertThat(scores.crossEntropy()).isEqualTo(2);
        assertThat(scores.perplexity()).isCloseTo(Math.exp(2), within(1e-12));
    }

    @Test
    void sumsInFloat64() {
        float[] many = new float[1 << 22];
        java.util.Arrays.fill(many, -1.1f);

        assertThat(new TokenScores(new float[][] {many}).crossEntropy()).isCloseTo(1.1f, within(1e-9));
    }

    @Test
    void handsOutCopies() {
        scores.ofSequence(1)[0] = 7;

        assertThat(scores.ofSequence(1)).containsExactly(-0.5f, -4.5f);
    }
}
