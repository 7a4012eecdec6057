package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class RotaryEmbeddingTest {

    /** One unit in the last place of a float32 between 0.5 and 1. */
    private static final float ROUNDING = 0x1p-24f;

    /**
     * What LlamaRotaryEmbedding of transformers 5.23 computes on torch 2.15: frequencies, and cosines and sines at a few
     * positions.
     */
    static Stream<JsonNode> transformers() throws IOException {
        try (InputStream in = RotaryEmbeddingTest.class.getResourceAsStream("rotary-transformers.json")) {
            JsonNode cases = new ObjectMapper().readTree(Objects.requireNonNull(in));
            return StreamSupport.stream(cases.spliterator(), false);
        }
    }

    @ParameterizedTest
    @MethodSource("transformers")
    void hasTheFrequenciesOfTransformersBitForBit(JsonNode expected) {
        assertThat(embedding(expected).inverseFrequencies()).containsExactly(floats(expected.path("inv_freq")));
    }

    @ParameterizedTest
    @MethodSource("transformers")
    void hasTheTablesOfTransformersToRounding(JsonNode expected) {
        RotaryEmbedding.Tables tables = embedding(expected).tables(8192);
        float tolerance = expected.path("magnitude").asDouble(1) > 1 ? 2 * ROUNDING : ROUNDING;

        assertThat(tables.positions()).isEqualTo(8192);
        assertThat(tables.pairs()).isEqualTo(expected.path("head_dim").intValue() / 2);
        for (int row = 0; row < expected.path("positions").size(); row++) {
            int position = expected.path("positions").path(row).intValue();
            float[] cos = floats(expected.path("cos").path(row));
            float[] sin = floats(expected.path("sin").path(row));
            for (int pair = 0; pair < tables.pairs(); pair++) {
                int index = position * tables.pairs() + pair;
                assertThat(Math.abs(tables.cos()[index] - cos[pair])).isLessThanOrEqualTo(tolerance);
                assertThat(Math.abs(tables.sin()[index] - sin[pair])).isLessThanOrEqualTo(tolerance);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("transformers")
    void isTheFormulaUpToFloat32(JsonNode expected) {
        float[] frequencies = embedding(expected).inverseFrequencies();
        double[] exact = exact(expected);

        for (int i = 0; i < frequencies.length; i++) {
            assertThat((double) frequencies[i]).isCloseTo(exact[i], within(exact[i] * 1e-6));
        }
    }

    @Test
    void doesNotRotateThePositionZero() {
        RotaryEmbedding.Tables tables =
                new RotaryEmbedding(new RopeParameters(10_000, new RopeScaling.None()), 8).tables(1);

        assertThat(tables.cos()).containsExactly(1, 1, 1, 1);
        assertThat(tables.sin()).containsExactly(0, 0, 0, 0);
    }

    @Test
    void handsOutACopyOfItsFrequencies() {
        RotaryEmbedding embedding = new RotaryEmbedding(new RopeParameters(10_000, new RopeScaling.None()), 4);

        embedding.inverseFrequencies()[0] = 7;

        assertThat(embedding.inverseFrequencies()).containsExactly(1, 0.01f);
    }

    @ParameterizedTest
    @ValueSource(ints = {-2, 0, 7})
    void refusesHeadsThatAreNoPairs(int headDim) {
        assertThatThrownBy(() -> new RotaryEmbedding(new RopeParameters(10_000, new RopeScaling.None()), headDim))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void refusesTablesThatFitNoArray() {
        RotaryEmbedding embedding = new RotaryEmbedding(new RopeParameters(10_000, new RopeScaling.None()), 128);

        assertThatThrownBy(() -> embedding.tables(1 << 25)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> embedding.tables(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void refusesAnEmptyRangeOfLlama3Wavelengths() {
        assertThatThrownBy(() -> new RopeScaling.Llama3(8, 4, 4, 8192)).isInstanceOf(IllegalArgumentException.class);
    }

    private static RotaryEmbedding embedding(JsonNode expected) {
        JsonNode rope = expected.path("rope_parameters");
        double factor = rope.path("factor").doubleValue();
        RopeScaling scaling = switch (rope.path("rope_type").textValue()) {
            case "linear" -> new RopeScaling.Linear(factor);
            case "llama3" ->
                new RopeScaling.Llama3(
                        factor,
                        rope.path("low_freq_factor").doubleValue(),
                        rope.path("high_freq_factor").doubleValue(),
                        rope.path("original_max_position_embeddings").intValue());
            case "yarn" ->
                new RopeScaling.Yarn(
                        factor,
                        new RopeScaling.YarnTurns(
                                rope.path("beta_fast").asDouble(32),
                                rope.path("beta_slow").asDouble(1),
                                rope.path("truncate").asBoolean(true)),
                        expected.path("magnitude").doubleValue(),
                        rope.path("original_max_position_embeddings").intValue());
            default -> new RopeScaling.None();
        };
        return new RotaryEmbedding(
                new RopeParameters(rope.path("rope_theta").doubleValue(), scaling),
                expected.path("head_dim").intValue());
    }

    /** The published formulas in float64, written independently of the class under test. */
    private static double[] exact(JsonNode expected) {
        JsonNode rope = expected.path("rope_parameters");
        int headDim = expected.path("head_dim").intValue();
        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            double plain = Math.exp(
                    -2.0 * i / headDim * Math.log(rope.path("rope_theta").doubleValue()));
            double stretched = plain / rope.path("factor").asDouble(1);
            frequencies[i] = switch (rope.path("rope_type").textValue()) {
                case "linear" -> stretched;
                case "llama3" -> {
                    double low = rope.path("low_freq_factor").doubleValue();
                    double high = rope.path("high_freq_factor").doubleValue();
                    double turns = rope.path("original_max_position_embeddings").doubleValue() * plain / (2 * Math.PI);
                    double keep = Math.clamp((turns - low) / (high - low), 0.0, 1.0);
                    yield keep * plain + (1 - keep) * stretched;
                }
                case "yarn" -> {
                    double keep = 1
                            - Math.clamp(
                                    (i - pair(rope, headDim, "beta_fast", 32))
                                            / (pair(rope, headDim, "beta_slow", 1)
                                                    - pair(rope, headDim, "beta_fast", 32)),
                                    0.0,
                                    1.0);
                    yield keep * plain + (1 - keep) * stretched;
                }
                default -> plain;
            };
        }
        return frequencies;
    }

    /** Which pair of elements turns so often, to the whole pair before or after unless that is not wanted. */
    private static double pair(JsonNode rope, int headDim, String key, double usual) {
        double wavelength = rope.path("original_max_position_embeddings").doubleValue()
                / rope.path(key).asDouble(usual);
        double pair = headDim
                / 2.0
                * Math.log(wavelength / (2 * Math.PI))
                / Math.log(rope.path("rope_theta").doubleValue());
        if (!rope.path("truncate").asBoolean(true)) {
            return pair;
        }
        return key.equals("beta_fast") ? Math.floor(pair) : Math.ceil(pair);
    }

    private static float[] floats(JsonNode array) {
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.path(i).floatValue();
        }
        return values;
    }
}
