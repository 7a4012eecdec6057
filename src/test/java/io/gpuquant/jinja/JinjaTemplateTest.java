package io.gpuquant.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class JinjaTemplateTest {

    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.USE_LONG_FOR_INTS);

    /** What jinja2 3.1.6 of Python gives with the settings of transformers; {@code make interop} asks it again. */
    static Stream<Arguments> cases() throws IOException {
        try (InputStream in = JinjaTemplateTest.class.getResourceAsStream("cases.json")) {
            return StreamSupport.stream(JSON.readTree(in).spliterator(), false)
                    .map(one -> Arguments.of(one.path("name").asText(), one));
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void rendersAsPythonDoes(String name, JsonNode one) {
        Map<String, Object> variables = JSON.convertValue(one.path("variables"), new TypeReference<>() {});
        String template = one.path("template").asText();

        if (one.has("error")) {
            assertThatThrownBy(() -> JinjaTemplate.parse(template).render(variables))
                    .isInstanceOf(TemplateException.class);
        } else {
            assertThat(JinjaTemplate.parse(template).render(variables))
                    .isEqualTo(one.path("expected").asText());
        }
    }

    @Test
    void givesTheMessageOfTheTemplate() {
        assertThatThrownBy(() -> JinjaTemplate.parse("{{ raise_exception('no system role') }}")
                        .render(Map.of()))
                .isInstanceOf(TemplateException.class)
                .hasMessage("no system role");
    }

    @Test
    void namesTheLine() {
        assertThatThrownBy(() -> JinjaTemplate.parse("a\n{{ 1 }}\n{% if %}")).hasMessageStartingWith("line 3: ");
        assertThatThrownBy(() -> JinjaTemplate.parse("a\n\n{{ f(1) }}").render(Map.of()))
                .hasMessage("line 3: 'f' is undefined");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                "{{ 'x' * 1000000000 }}",
                "{% set x = 'x' * 60000000 %}{{ x }}{{ x }}",
                "{{ 9223372036854775807 + 1 }}",
                "{{ 9223372036854775808 }}",
                "{{ '\\ud8' }}",
                "{{ \"open }}",
                "{{ 1",
                "{# open",
                "{% raw %} open",
                "{% for x in y %}{% endif %}",
                "{% break %}",
                "{{ [1, 2 }}",
                "{{ 1 is nothing }}",
                "{% include 'x' %}"
            })
    void refusesWhatHasNoEndOrNoMeaning(String template) {
        assertThatThrownBy(() -> JinjaTemplate.parse(template).render(Map.of())).isInstanceOf(TemplateException.class);
    }

    @Test
    void refusesEndlessNesting() {
        for (String open : new String[] {"(", "[", "{% if x %}", "not ", "-", "x if "}) {
            String template = open.startsWith("{%") ? open.repeat(10_000) : "{{ " + open.repeat(100_000) + " }}";
            assertThatThrownBy(() -> JinjaTemplate.parse(template)).isInstanceOf(TemplateException.class);
        }
        String chain = "{{ 1" + " + 1".repeat(100_000) + " }}";
        assertThatThrownBy(() -> JinjaTemplate.parse(chain).render(Map.of())).isInstanceOf(TemplateException.class);
    }
}
