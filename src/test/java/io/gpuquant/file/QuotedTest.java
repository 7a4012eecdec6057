package io.gpuquant.file;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QuotedTest {

    @ParameterizedTest
    @CsvSource({"model.norm.weight", "größe", "重み", "a b"})
    void showsOrdinaryTextAsItIs(String text) {
        assertThat(Quoted.text(text)).isEqualTo("'" + text + "'");
    }

    @Test
    void showsCharactersThatActOnATerminalAsEscapes() {
        assertThat(Quoted.text("a\nb\u001b[2J\u202e\u2028\u0085\ud834"))
                .isEqualTo("'a\\u000ab\\u001b[2J\\u202e\\u2028\\u0085\\ud834'");
    }

    @Test
    void cutsLongTextWithoutSplittingACharacter() {
        assertThat(Quoted.text("𝄞".repeat(161))).isEqualTo("'" + "𝄞".repeat(160) + "…'");
        assertThat(Quoted.text("𝄞".repeat(160))).isEqualTo("'" + "𝄞".repeat(160) + "'");
    }
}
