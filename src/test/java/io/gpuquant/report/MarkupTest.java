package io.gpuquant.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class MarkupTest {

    @Test
    void textAndAttributesAreEscaped() {
        Markup markup = new Markup()
                .open("p", "title", "a\"b'c<d>&")
                .text("<script>&amp;")
                .close();

        assertThat(markup).hasToString("<p title=\"a&quot;b&#39;c&lt;d&gt;&amp;\">&lt;script&gt;&amp;amp;</p>");
    }

    @Test
    void charactersThatMayNotBeThereAreReplaced() {
        assertThat(Markup.escape("a\0b\u001b[31m\u202ec\ud800d\udc00"))
                .isEqualTo("a\ufffdb\ufffd[31m\ufffdc\ufffdd\ufffd");
        assertThat(Markup.escape("größe 模型 \ud83d\ude00")).isEqualTo("größe 模型 \ud83d\ude00");
    }

    @Test
    void elementsNestAndMustBeClosed() {
        Markup markup = new Markup().open("g").shape("rect", "a title", "x", 1.0, "y", 0.125);
        assertThatThrownBy(markup::toString).isInstanceOf(IllegalStateException.class);

        assertThat(markup.close()).hasToString("<g><rect x=\"1\" y=\"0.13\"><title>a title</title></rect></g>");
    }
}
