package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.job.TinyModel;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlanCommandTest {

    private static final List<String> STEPS =
            List.of("embedding", "loading weights", "attention-in", "attention-out", "mlp-in", "mlp-out", "resuming");

    private static final String LLAMA_3_8B = """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 4096,
             "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
             "num_key_value_heads": 8, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "vocab_size": 128256}
            """;

    @TempDir
    Path folder;

    private Path largeModel() throws IOException {
        Files.writeString(folder.resolve("config.json"), LLAMA_3_8B);
        return folder;
    }

    private CommandRun planForGpu(String memory, Object... more) throws IOException {
        List<Object> arguments =
                new ArrayList<>(List.of("plan", largeModel(), "--device", "cuda", "--device-memory", memory));
        arguments.addAll(List.of(more));
        return CommandRun.of(arguments.toArray());
    }

    /** The plan is made by the code that allocates: nothing but another number of sequences can make the two differ. */
    @ParameterizedTest
    @CsvSource({"32, 4, F16, float16, false", "32, 128, F32, float32, true", "64, 4, BF16, bfloat16, false"})
    void plannedPeakIsThatOfARun(int width, int samples, String dtype, String name, boolean tied) {
        Path model = new TinyModel()
                .layers(1)
                .dtype(DType.valueOf(dtype), name)
                .config(config -> config.put("hidden_size", 2 * width)
                        .put("num_attention_heads", width / 16)
                        .put("num_key_value_heads", width / 32)
                        .put("intermediate_size", 3 * width)
                        .put("tie_word_embeddings", tied)
                        .put("attention_bias", tied))
                .write(folder.resolve("model"));
        Object[] options = {"--group-size", "32", "--samples", samples, "--device", "host", "--json"};

        JsonNode plan =
                CommandRun.of(concat("plan", model, options)).requireDone().json();
        JsonNode run =
                CommandRun.of(concat("gptq", model, options)).requireDone().json();

        long planned = plan.path("peak_device_bytes").asLong();
        long held = run.path("peak_device_bytes").asLong();
        assertThat(planned).isGreaterThanOrEqualTo(held).isLessThanOrEqualTo(held * 11 / 10);
        assertThat(plan.path("output_bytes").asLong())
                .isEqualTo(run.path("output_bytes").asLong());
        assertThat(plan.path("source_bytes").asLong())
                .isEqualTo(run.path("source_bytes").asLong());
    }

    private static Object[] concat(String command, Path model, Object[] options) {
        List<Object> arguments = new ArrayList<>(List.of(command, model));
        arguments.addAll(List.of(options));
        return arguments.toArray();
    }

    /** What is true of a fresh run is true of one that only has to pass through what is done. */
    @ParameterizedTest
    @ValueSource(strings = {"--desc-act", "--static-groups", "--mse", "--no-gar", "--no-sym", "--bits=8"})
    void plannedPeakBoundsEveryVariant(String option) {
        Path model = TinyModel.narrow().layers(1).write(folder.resolve("model"));
        Object[] options = {"--group-size", "32", "--samples", "1", "--device", "host", "--json", option};

        JsonNode plan =
                CommandRun.of(concat("plan", model, options)).requireDone().json();
        JsonNode run =
                CommandRun.of(concat("gptq", model, options)).requireDone().json();

        long held = run.path("peak_device_bytes").asLong();
        assertThat(plan.path("peak_device_bytes").asLong())
                .isGreaterThanOrEqualTo(held)
                .isLessThanOrEqualTo(held * 11 / 10);
    }

    /** With as many key heads as query heads all groups scale; with fewer the values do not. */
    @ParameterizedTest
    @CsvSource({
        "2, 4, --objective=module",
        "1, 2, --objective=gram",
        "2, 2, --no-clip",
        "1, 2, --no-zero-point",
        "2, 2, --no-propagate",
        "2, 2, --version=GEMV"
    })
    void plannedPeakOfAwqIsThatOfARun(int keyHeads, int samples, String option) {
        Path model = TinyModel.narrow()
                .layers(1)
                .config(config -> config.put("num_key_value_heads", keyHeads).put("intermediate_size", 96))
                .write(folder.resolve("model"));
        Object[] options = {"--group-size", "32", "--samples", samples, "--device", "host", "--json", option};

        List<Object> planning = new ArrayList<>(List.of("plan", model, "--method", "awq"));
        planning.addAll(List.of(options));
        JsonNode plan = CommandRun.of(planning.toArray()).requireDone().json();
        JsonNode run =
                CommandRun.of(concat("awq", model, options)).requireDone().json();

        long held = run.path("peak_device_bytes").asLong();
        assertThat(plan.path("peak_device_bytes").asLong())
                .isGreaterThanOrEqualTo(held)
                .isLessThanOrEqualTo(held * 11 / 10);
        assertThat(plan.path("output_bytes").asLong())
                .isEqualTo(run.path("output_bytes").asLong());
    }

    @Test
    void awqRunsInWhatItsPlanSaysAndIsRefusedInLess() {
        Path model = TinyModel.narrow().layers(1).write(folder.resolve("model"));
        Object[] common = {"--group-size", "32", "--samples", "2", "--device", "host", "--device-memory"};
        long planned = CommandRun.of(
                        "plan",
                        model,
                        "--method",
                        "awq",
                        "--group-size",
                        "32",
                        "--samples",
                        "2",
                        "--device",
                        "host",
                        "--device-memory",
                        "1KB",
                        "--json")
                .json()
                .path("peak_device_bytes")
                .asLong();
        Path made = folder.resolve("made");

        List<Object> tooLittle = new ArrayList<>(List.of("awq", model, "--out", made));
        tooLittle.addAll(List.of(common));
        List<Object> enough = new ArrayList<>(tooLittle);
        tooLittle.add(planned - 1);
        CommandRun.of(tooLittle.toArray()).requireRefused(4, "calibrating takes at least");
        assertThat(made).doesNotExist();
        assertThat(made.resolveSibling("made.partial")).doesNotExist();

        enough.add(planned);
        CommandRun.of(enough.toArray()).requireDone();
    }

    /** Five sequences on two devices: each is planned for its own share, and the one with more of them holds the most. */
    @Test
    void everyDeviceIsPlannedForItsShare() {
        Path model = TinyModel.narrow().layers(1).write(folder.resolve("model"));
        Object[] options = {"--group-size", "32", "--samples", "5", "--device", "host:0,1"};

        CommandRun text = CommandRun.of(concat("plan", model, options)).requireDone();
        assertThat(text.out())
                .contains("device           host, host:1, ", "5 sequences of 32 tokens", "host:1, which holds the most")
                .containsPattern("(?m)^host +2 +2 +\\d+ KB +[\\d.]+ GB +fits$")
                .containsPattern("(?m)^host:1 +3 +3 +\\d+ KB +[\\d.]+ GB +fits$");
        JsonNode plan = CommandRun.of(concat("plan", model, with(options, "--json")))
                .requireDone()
                .json();
        JsonNode run = CommandRun.of(concat("gptq", model, with(options, "--json")))
                .requireDone()
                .json();

        JsonNode devices = plan.path("devices");
        assertThat(devices).hasSize(2);
        assertThat(plan.path("device")).isEqualTo(devices.path(1).path("device"));
        assertThat(plan.path("calibration").path("sequences").asInt()).isEqualTo(5);
        assertThat(devices.path(0).path("peak_device_bytes").asLong())
                .isLessThan(devices.path(1).path("peak_device_bytes").asLong());
        long held = run.path("peak_device_bytes").asLong();
        assertThat(plan.path("peak_device_bytes")).isEqualTo(devices.path(1).path("peak_device_bytes"));
        assertThat(plan.path("peak_device_bytes").asLong())
                .isGreaterThanOrEqualTo(held)
                .isLessThanOrEqualTo(held * 11 / 10);
        CommandRun.of(concat("gptq", model, with(with(options, "--overwrite"), "--device-memory=" + held / 2)))
                .requireRefused(4, "calibrating takes at least");
    }

    private static Object[] with(Object[] options, Object more) {
        List<Object> all = new ArrayList<>(List.of(options));
        all.add(more);
        return all.toArray();
    }

    @Test
    void severalGpusThatAreNotHereArePlannedFor() throws IOException {
        Path model = largeModel();
        Object[] options = {"--method=awq", "--device-memory=12GB", "--json", "--device=cuda:0,1"};

        JsonNode several =
                CommandRun.of(concat("plan", model, options)).requireDone().json();
        options[3] = "--device=cuda:3";
        JsonNode one =
                CommandRun.of(concat("plan", model, options)).requireDone().json();

        assertThat(several.path("devices").findValuesAsText("device")).containsExactly("cuda:0", "cuda:1");
        assertThat(several.path("devices").findValuesAsText("sequences")).containsExactly("64", "64");
        assertThat(one.path("devices").findValuesAsText("device")).containsExactly("cuda:3");
        assertThat(several.path("host_bytes").asLong())
                .isEqualTo(one.path("host_bytes").asLong());
        // What is done twice is little, and each does about half of what there is.
        assertThat(several.path("matrix_product_operations").asDouble())
                .isBetween(
                        one.path("matrix_product_operations").asDouble(),
                        1.1 * one.path("matrix_product_operations").asDouble());
        options[3] = "--device=cuda:1,1";
        CommandRun.of(concat("plan", model, options)).requireRefused(2, "names a device twice");
        CommandRun.of("plan", model, "--device=cuda:0,1", "--device-memory=12GB", "--samples=1")
                .requireRefused(2, "1 calibration sequences cannot be shared by 2 devices");
    }

    @Test
    void optionsOfTheOtherMethodAreRefused() {
        CommandRun.of("plan", folder, "--method", "awq", "--desc-act")
                .requireRefused(2, "--desc-act is not an option of awq");
        CommandRun.of("plan", folder, "--grid", "5").requireRefused(2, "--grid is not an option of gptq");
        CommandRun.of("plan", folder, "--method", "rtn").requireRefused(2, "--method");
    }

    @Test
    void aRunHasRoomInWhatItsPlanSays() {
        Path model = TinyModel.narrow().layers(1).write(folder.resolve("model"));
        Object[] options = {
            "--group-size", "32", "--samples", "4", "--device", "host", "--json", "--device-memory", "1KB"
        };
        long planned = CommandRun.of(concat("plan", model, options))
                .json()
                .path("peak_device_bytes")
                .asLong();

        Object[] enough = {"--group-size", "32", "--samples", "4", "--device", "host", "--device-memory", planned};
        CommandRun.of(concat("plan", model, enough)).requireDone();
        CommandRun.of(concat("gptq", model, enough)).requireDone();

        enough[enough.length - 1] = planned - 1;
        assertThat(CommandRun.of(concat("plan", model, enough)).code()).isEqualTo(4);
        enough[0] = "--overwrite";
        enough[1] = "--group-size=32";
        CommandRun.of(concat("gptq", model, enough)).requireRefused(4, "calibrating takes at least");
    }

    @Test
    void needsOnlyTheConfigurationOfAModel() throws IOException {
        CommandRun run = planForGpu("24GB").requireDone();

        assertThat(run.out())
                .contains("model            llama, 32 layers of width 4096 and 14336, BF16")
                .contains("device           cuda, a GPU, products of BF16")
                .contains("128 sequences of 2048 tokens, 2 at once")
                .contains(
                        "residual stream on the device, attention results on the device, activated gates on the device")
                .contains("of 22.1 GB: fits")
                .doesNotContain("host memory");
        for (String step : STEPS) {
            assertThat(run.out()).containsPattern("(?m)^" + step + " +[\\d.]+ [KMG]B  .* [\\d.]+ [KMG]B");
        }
        assertThat(run.out()).contains("Gram matrix 822 MB", "Hessian 822 MB");
        assertThat(run.err()).isEmpty();
        assertThat(folder).isDirectoryNotContaining("glob:**.partial");
    }

    @Test
    void activationsGoToTheHostTheLargestFirst() throws IOException {
        JsonNode roomy = planForGpu("80GB", "--json").requireDone().json();
        JsonNode gates = planForGpu("12GB", "--json").requireDone().json();
        JsonNode all = planForGpu("8GB", "--json").requireDone().json();

        assertThat(roomy.path("placements").toString())
                .isEqualTo(
                        "{\"residual_stream\":\"device\",\"attention_results\":\"device\",\"activated_gates\":\"device\"}");
        assertThat(roomy.path("host_bytes").asLong()).isZero();
        assertThat(gates.path("placements").toString())
                .isEqualTo(
                        "{\"residual_stream\":\"device\",\"attention_results\":\"device\",\"activated_gates\":\"host\"}");
        // 128 sequences of 2048 tokens, 14336 wide, in two bytes.
        assertThat(gates.path("host_bytes").asLong()).isEqualTo(128L * 2048 * 14336 * 2);
        assertThat(all.path("placements").toString())
                .isEqualTo(
                        "{\"residual_stream\":\"host\",\"attention_results\":\"host\",\"activated_gates\":\"host\"}");
        assertThat(all.path("host_bytes").asLong()).isEqualTo(128L * 2048 * (14336 * 2 + 4096 * 4));
        assertThat(all.path("peak_device_bytes").asLong())
                .isLessThan(gates.path("peak_device_bytes").asLong());
    }

    /** The least that each takes, and what it gets where there is more. */
    @ParameterizedTest
    @CsvSource({
        "8, 7GB, true, host, true",
        "8, 24GB, true, device, true",
        "8, 80GB, true, device, true",
        "70, 8GB, false, host, false",
        "70, 24GB, true, device, true",
        "70, 80GB, true, device, true"
    })
    void largeModelsFitWhatIsPromised(
            int billions, String memory, boolean fits, String residualStream, boolean prefetch) throws IOException {
        String config = billions == 8
                ? LLAMA_3_8B
                : LLAMA_3_8B
                        .replace("4096", "8192")
                        .replace("14336", "28672")
                        .replace("\"num_hidden_layers\": 32", "\"num_hidden_layers\": 80")
                        .replace("\"num_attention_heads\": 32", "\"num_attention_heads\": 64");
        Files.writeString(folder.resolve("config.json"), config);

        JsonNode plan = CommandRun.of("plan", folder, "--device", "cuda", "--device-memory", memory, "--json")
                .json();

        assertThat(plan.path("fits").asBoolean()).isEqualTo(fits);
        assertThat(plan.path("prefetch").asBoolean()).isEqualTo(prefetch);
        assertThat(plan.path("placements").path("residual_stream").asText()).isEqualTo(residualStream);
        assertThat(plan.path("peak_device_bytes").asLong()
                        <= plan.path("available_device_bytes").asLong())
                .isEqualTo(fits);
    }

    @Test
    void jsonHasWhatIsHeldInEachStep() throws IOException {
        JsonNode json = planForGpu("80GB", "--json", "--samples", "16", "--sequence-length", "512")
                .requireDone()
                .json();

        assertThat(json.path("calibration").toString())
                .isEqualTo("{\"sequences\":16,\"sequence_length\":512,\"sequences_per_chunk\":8,\"chunks\":2,"
                        + "\"tokens_per_chunk\":4096}");
        assertThat(json.path("weight_type").asText()).isEqualTo("BF16");
        assertThat(json.path("fits").asBoolean()).isTrue();
        List<String> names = new ArrayList<>();
        long most = 0;
        for (JsonNode step : json.path("steps")) {
            names.add(step.path("name").asText());
            long held = 0;
            for (JsonNode bytes : step.path("held")) {
                held += bytes.asLong();
            }
            assertThat(step.path("peak_device_bytes").asLong()).isEqualTo(held);
            most = Math.max(most, held);
        }
        assertThat(names).isEqualTo(STEPS);
        assertThat(json.path("peak_device_bytes").asLong()).isEqualTo(most);
        JsonNode last = json.path("steps").get(5).path("held");
        assertThat(last.path("Gram matrix").asLong()).isEqualTo(14336L * 14336 * 4);
        assertThat(last.path("Hessian").asLong()).isEqualTo(14336L * 14336 * 4);
        assertThat(last.path("residual stream").asLong()).isEqualTo(16L * 512 * 4096 * 4);
        assertThat(last.path("weights of layer 0 mlp out").asLong()).isEqualTo(2 * 14336L * 4096 * 2);
        assertThat(json.has("output_bytes")).isFalse();
    }

    /** Without scores, weights made of them, and a sum of results in float32 for each token of a chunk. */
    @Test
    void fusedAttentionTakesLess() throws IOException {
        JsonNode tiled = planForGpu("24GB", "--json", "--attention", "tiled").json();
        JsonNode fused = planForGpu("24GB", "--json", "--attention", "fused").json();

        assertThat(planForGpu("24GB", "--json").json()).isEqualTo(tiled);
        assertThat(tiled.path("peak_device_bytes").asLong()
                        - fused.path("peak_device_bytes").asLong())
                .isEqualTo((64L << 20) + (32L << 20) + 4096L * 4096 * 4);
        assertThat(fused.toString()).doesNotContain("attention scores");
        assertThat(tiled.toString()).contains("attention scores");
        CommandRun.of("plan", folder, "--device", "host", "--attention", "fused")
                .requireRefused(2, "cannot compute heads of 128 elements in F32", "use --attention tiled");
        planForGpu("24GB", "--attention", "flash").requireRefused(2, "--attention", "flash");
    }

    /** 7.0e9 weights of linears, each used in a multiplication and an addition for every token, are a lower bound. */
    @Test
    void countsTheOperationsOfMatrixProducts() throws IOException {
        double operations = planForGpu("80GB", "--json")
                .json()
                .path("matrix_product_operations")
                .asDouble();

        double forward = 2.0 * 6.98e9 * 128 * 2048;
        assertThat(operations).isGreaterThan(forward).isLessThan(3 * forward);
    }

    @Test
    void speedIsMeasuredWhereTheDeviceIsHere() throws IOException {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        assertThat(CommandRun.of("plan", model, "--group-size", "32", "--device", "host")
                        .out())
                .containsPattern(
                        "matrix products +0\\.\\d+ TFLOP in all, [\\d.]+ s at the [\\d.e+-]+ TFLOP/s measured here");
        JsonNode json = CommandRun.of("plan", model, "--group-size", "32", "--device", "host", "--json")
                .json();
        assertThat(json.path("matrix_product_seconds").asDouble()).isPositive();
        assertThat(planForGpu("80GB", "--json").json().has("matrix_product_seconds"))
                .isFalse();
    }

    @Test
    void deviceWithoutMemoryForAMeasurementIsPlannedForAllTheSame() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        CommandRun run = CommandRun.of(
                "plan", model, "--group-size", "32", "--samples", "1", "--device", "host", "--device-memory", "300KB");

        assertThat(run.out()).contains("matrix products", "TFLOP in all\n", "of 300 KB: does not fit");
        assertThat(run.code()).isEqualTo(4);
    }

    @Test
    void whatDoesNotFitIsShownAndRefused() throws IOException {
        CommandRun run = planForGpu("2GB");

        assertThat(run.code()).isEqualTo(4);
        assertThat(run.out()).contains("of 1.84 GB: does not fit");
        assertThat(run.lastError())
                .startsWith(
                        "gpuquant: calibrating takes at least 3.35 GB on cuda (mlp-out: Gram matrix 822 MB, Hessian")
                .contains("but 1.84 GB may be used; raise --device-memory");
    }

    @Test
    void weightsThatAreThereAreLookedAt() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        CommandRun run = CommandRun.of("plan", model, "--group-size", "32", "--device", "host");

        assertThat(run.requireDone().out()).containsPattern("output +[\\d.]+ KB of tensors, the model has [\\d.]+ KB");
        assertThat(run.out()).contains("warning: model.layers.0.self_attn.q_proj has 64 to 64 features");
        CommandRun.of("plan", model).requireRefused(3, "--group-size 128 does not divide", "use 64, 32, -1");
    }

    @Test
    void sequencesAreCappedByTheModel() throws IOException {
        JsonNode json = planForGpu("80GB", "--json", "--sequence-length", "100000", "--samples", "2")
                .requireDone()
                .json();

        assertThat(json.path("calibration").path("sequence_length").asInt()).isEqualTo(8192);
    }

    @Test
    void refusesWhatCannotBePlanned() {
        CommandRun.of("plan", folder.resolve("none"))
                .requireRefused(3, folder.resolve("none").toString());
        CommandRun.of("plan", folder, "--bits", "5").requireRefused(2, "--bits 5");
        CommandRun.of("plan", folder, "--samples", "0").requireRefused(2, "--samples 0");
    }
}
