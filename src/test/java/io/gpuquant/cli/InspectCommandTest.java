package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.job.TinyModel;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectCommandTest {

    @TempDir
    Path folder;

    @Test
    void saysWhatAPlainCheckpointHolds() {
        Path model = TinyModel.narrow().shards(100_000).write(folder.resolve("model"));

        CommandRun run = CommandRun.of("inspect", model).requireDone();

        assertThat(run.out())
                .contains(model + ": model type llama, 23 tensors in ", " file(s), ")
                .contains("\nnot quantized\n")
                .contains("by type: F16 361 KB, F32 24 B");
        assertThat(run.out())
                .containsPattern("model\\.layers\\.\\*\\.self_attn\\.k_proj\\.weight +2 +F16 +\\[32, 64\\] +8\\.19 KB");
        assertThat(run.err()).isEmpty();
    }

    @Test
    void saysHowACheckpointIsQuantized() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));
        Path made = folder.resolve("made");
        CommandRun.of("gptq", model, "--group-size", "32", "--samples", "1", "--desc-act", "--no-sym", "--out", made)
                .requireDone();

        CommandRun run = CommandRun.of("inspect", made).requireDone();
        assertThat(run.out())
                .contains("quantized by gptq: 4 bits, group size 32, asymmetric, act-order, 14 linears")
                .containsPattern("model\\.layers\\.\\*\\.mlp\\.down_proj\\.qweight +2 +I32 +\\[8, 64\\]");

        JsonNode json = CommandRun.of("inspect", made, "--json").requireDone().json();
        assertThat(json.path("folder").asText()).isEqualTo(made.toString());
        assertThat(json.path("model_type").asText()).isEqualTo("llama");
        assertThat(json.path("quantized_linears").asInt()).isEqualTo(14);
        assertThat(json.path("quantization_config").path("bits").asInt()).isEqualTo(4);
        assertThat(json.path("files").asInt()).isEqualTo(1);
        Map<String, JsonNode> kinds = new HashMap<>();
        int tensors = 0;
        long bytes = 0;
        for (JsonNode kind : json.path("kinds")) {
            kinds.put(kind.path("name").asText(), kind);
            tensors += kind.path("count").asInt();
            bytes += kind.path("bytes").asLong();
        }
        assertThat(json.path("tensors").asInt()).isEqualTo(tensors).isEqualTo(65);
        assertThat(json.path("bytes").asLong()).isEqualTo(bytes);
        assertThat(String.valueOf(kinds.get("model.layers.*.mlp.up_proj.scales")))
                .isEqualTo("{\"name\":\"model.layers.*.mlp.up_proj.scales\",\"count\":2,\"dtype\":\"F16\","
                        + "\"shape\":\"[2, 64]\",\"bytes\":512}");
    }

    @Test
    void listsEveryTensorWithTheRangeOfItsValues() throws IOException {
        TestCheckpoints.write(
                folder,
                List.of(
                        TestCheckpoints.tensor(
                                "a.weight", DType.BF16, Shape.of(2, 2), -2, 0, 0.5f, Float.POSITIVE_INFINITY),
                        TestCheckpoints.bytes("a.qweight", DType.I32, Shape.of(1), new byte[4]),
                        TestCheckpoints.bytes("packed", DType.F4, Shape.of(6), new byte[3])));

        assertThat(CommandRun.of("inspect", folder, "--tensors").requireDone().out())
                .containsPattern("tensor +type +shape +size +min +max +mean \\|x\\| +zeros +not finite\n")
                .containsPattern("a\\.weight +BF16 +\\[2, 2] +8 B +-2\\.000 +0\\.5000 +0\\.8333 +1 +1\n")
                .containsPattern("packed +F4 +\\[6] +3 B +- +- +- +- +-\n")
                .contains("not quantized in it: a\n");

        JsonNode json = CommandRun.of("inspect", folder, "--tensors", "--json")
                .requireDone()
                .json();
        assertThat(json.path("kept_modules").toString()).isEqualTo("[\"a\"]");
        JsonNode first = json.path("tensor_list").get(0);
        assertThat(first.path("min").asDouble()).isEqualTo(-2);
        assertThat(first.path("non_finite").asInt()).isEqualTo(1);
        byte[] file = Files.readAllBytes(folder.resolve(first.path("file").asText()));
        // -2 in BF16 is 0xc000, low byte first.
        assertThat(file[first.path("position").asInt() + 1]).isEqualTo((byte) 0xc0);
        JsonNode quick =
                CommandRun.of("inspect", folder, "--json").requireDone().json();
        assertThat(quick.path("tensor_list").size()).isEqualTo(3);
        assertThat(quick.path("tensor_list").get(0).has("min")).isFalse();
    }

    @Test
    void looksAtModelsThatCannotBeComputedWith() throws IOException {
        TestCheckpoints.write(folder, DType.BF16, Map.of("backbone.layers.7.mixer.A_log", new float[] {1, 2, 3}));

        assertThat(CommandRun.of("inspect", folder).requireDone().out())
                .contains(folder + ": no config.json, 1 tensors in 1 file(s), 6 B")
                .contains("backbone.layers.*.mixer.A_log");

        Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"mamba\", \"quantization_config\": {}}");
        assertThat(CommandRun.of("inspect", folder).requireDone().out())
                .contains("model type mamba")
                .contains("quantized by an unnamed method: ? bits, group size ?, symmetric, 0 linears");
    }

    @Test
    void refusesWhatIsNoCheckpoint() throws IOException {
        CommandRun.of("inspect", folder).requireRefused(3, folder + " holds neither model.safetensors nor");
        CommandRun.of("inspect", folder.resolve("none")).requireRefused(3, "does not exist");
        TestCheckpoints.write(folder, DType.F32, Map.of("x", new float[1]));
        Files.writeString(folder.resolve("config.json"), "{\"model_type\": ");
        CommandRun.of("inspect", folder).requireRefused(3, folder.resolve("config.json") + " is not valid JSON");
    }
}
