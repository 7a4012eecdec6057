package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AwqConfigTest {

    private static final Path FILE = Path.of("config.json");

    @Test
    void writesWhatAutoAwqWrites() {
        AwqScheme scheme = new AwqScheme(128, false, AwqVersion.GEMM);
        assertThat(AwqConfig.write(scheme, List.of()))
                .isEqualTo(json("{\"quant_method\":\"awq\",\"zero_point\":true,\"group_size\":128,\"bits\":4,"
                        + "\"version\":\"gemm\",\"modules_to_not_convert\":null}"));
        assertThat(AwqConfig.writeLegacy(scheme))
                .isEqualTo(json("{\"zero_point\":true,\"q_group_size\":128,\"w_bit\":4,\"version\":\"GEMM\"}"));
    }

    @Test
    void saysThatSymmetricGridsHaveZeroPointsBecauseTheyAreStored() {
        ObjectNode config = AwqConfig.write(new AwqScheme(64, true, AwqVersion.GEMV), List.of("a.b", "a.c"));

        assertThat(config.path("zero_point").asBoolean()).isTrue();
        assertThat(config.path("version").asText()).isEqualTo("gemv");
        assertThat(config.path("modules_to_not_convert").toString()).isEqualTo("[\"a.b\",\"a.c\"]");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "{'bits':4,'group_size':128,'version':'gemm'}; 128; GEMM",
                "{'w_bit':4,'q_group_size':64,'version':'GEMV'}; 64; GEMV",
                "{'bits':4,'group_size':-1}; -1; GEMM",
                "{'bits':4,'group_size':32,'format':'gemm'}; 32; GEMM"
            })
    void readsTheKeysOfAllItsWriters(String text, int groupSize, AwqVersion version) {
        assertThat(AwqConfig.read(json(text.replace('\'', '"')), FILE))
                .isEqualTo(new AwqScheme(groupSize, false, version));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'group_size':128}",
                "{'bits':4}",
                "{'bits':8,'group_size':128}",
                "{'bits':4,'group_size':0}",
                "{'bits':4,'group_size':48,'version':'gemv'}",
                "{'bits':4,'group_size':128,'version':'marlin'}"
            })
    void refusesWhatNoReadableCheckpointHas(String text) {
        assertThatThrownBy(() -> AwqConfig.read(json(text.replace('\'', '"')), FILE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("config.json")
                .hasMessageContaining("quantization_config");
    }

    @Test
    void knowsItsOwn() {
        assertThat(AwqConfig.isAwq(json("{\"quant_method\":\"awq\"}"))).isTrue();
        assertThat(AwqConfig.isAwq(json("{\"method\":\"awq\"}"))).isTrue();
        assertThat(AwqConfig.isAwq(json("{\"quant_method\":\"gptq\"}"))).isFalse();
    }

    private static ObjectNode json(String text) {
        try {
            return (ObjectNode) new ObjectMapper().readTree(text);
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
