package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.gguf.GgufFile;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Checkpoints that are published in FP8, as what every command starts from: each makes of them what it makes of the plain
 * checkpoint that they stand for.
 */
class Fp8SourceTest {

    @TempDir
    static Path shared;

    private static Path text = Path.of("");

    @TempDir
    Path folder;

    private enum Source {
        BLOCKS("--scheme", "block", "--layout", "hf"),
        CHANNELS("--scheme", "dynamic"),
        TENSORS("--scheme", "static");

        private final List<String> options;

        Source(String... options) {
            this.options = List.of(options);
        }

        Path stored() {
            return shared.resolve(name()).resolve("model");
        }

        /** Of the same name, since some outputs tell it. */
        Path plain() {
            return shared.resolve(name()).resolve("plain").resolve("model");
        }

        void make(Path model) throws Exception {
            Files.createDirectories(plain().getParent());
            List<Object> command = new ArrayList<>(List.of("fp8", model, "--out", stored(), "--device", "host"));
            command.addAll(options);
            if (this == TENSORS) {
                command.addAll(List.of("--calibration", text, "--sequence-length", 32, "--samples", 2));
            }
            CommandRun.of(command.toArray()).requireDone();
            CommandRun.of("convert", stored(), "--to", "safetensors", "--out", plain())
                    .requireDone();
        }
    }

    @BeforeAll
    static void make() throws Exception {
        text = TinyModel.writeText(shared.resolve("text.jsonl"));
        Path model = new TinyModel()
                .dtype(DType.BF16, "bfloat16")
                .layers(1)
                .config(config -> config.put("num_key_value_heads", 4))
                .write(shared.resolve("original"));
        for (Source source : Source.values()) {
            source.make(model);
        }
    }

    /** Every code times its scale in float32, rounded to BF16; everything else is as it was. */
    @ParameterizedTest
    @EnumSource
    void isConvertedToWhatItStandsFor(Source source) {
        try (Checkpoint stored = Checkpoint.open(source.stored());
                Checkpoint plain = Checkpoint.open(source.plain())) {
            int decoded = 0;
            for (TensorInfo info : plain.tensors()) {
                HostTensor codes = stored.tensor(info.name());
                HostTensor weights = plain.tensor(info.name());
                if (codes.dtype() != DType.F8_E4M3) {
                    assertThat(weights.data().mismatch(codes.data())).isEqualTo(-1);
                    continue;
                }
                assertThat(info.dtype()).isEqualTo(DType.BF16);
                int in = (int) info.shape().extent(1);
                String name = info.name() + (source == Source.BLOCKS ? "_scale_inv" : "_scale");
                HostTensor scales = stored.tensor(name);
                for (long i = 0; i < info.shape().elementCount(); i++) {
                    float scale =
                            Elements.floatAt(scales.data(), scales.dtype(), source == Source.CHANNELS ? i / in : 0);
                    float value = e4m3(codes.data().get(ValueLayout.JAVA_BYTE, i)) * scale;
                    assertThat(Elements.floatAt(weights.data(), DType.BF16, i))
                            .isEqualTo(BFloat16.toFloat(BFloat16.fromFloat(value)));
                }
                decoded++;
            }
            assertThat(decoded).isEqualTo(7);
            assertThat(plain.tensors()).noneMatch(info -> info.name().contains("scale"));
        }
        JsonNode config = new MadeCheckpoint(source.plain()).json("config.json");
        assertThat(config.has("quantization_config")).isFalse();
        assertThat(source.plain().resolve("tokenizer.json")).exists();
    }

    private static float e4m3(byte code) {
        int exponent = code >> 3 & 15;
        float mantissa = code & 7;
        double magnitude =
                exponent == 0 ? mantissa / 8 * Math.pow(2, -6) : (1 + mantissa / 8) * Math.pow(2, exponent - 7);
        return (float) (code < 0 ? -magnitude : magnitude);
    }

    @ParameterizedTest
    @EnumSource
    void isWrittenAsGguf(Source source) throws Exception {
        Path ofStored = gguf(source.stored(), "stored");
        Path ofPlain = gguf(source.plain(), "plain");
        assertThat(tensors(ofStored)).isEqualTo(tensors(ofPlain)).hasSize(12);
        assertThat(ofStored).hasSameBinaryContentAs(ofPlain);
        CommandRun.of("verify", ofStored, "--source", source.stored()).requireDone();
    }

    private Path gguf(Path model, String name) {
        Path file = folder.resolve(name + ".gguf");
        CommandRun.of("gguf", model, "--type", "Q4_0", "--out", file, "--device", "host")
                .requireDone();
        return file;
    }

    private static Map<String, String> tensors(Path path) {
        Map<String, String> tensors = new TreeMap<>();
        try (GgufFile file = GgufFile.open(path)) {
            for (GgufTensor tensor : file.header().tensors()) {
                tensors.put(tensor.name(), tensor.type() + tensor.shape());
            }
        }
        return tensors;
    }

    @ParameterizedTest
    @ValueSource(strings = {"rtn --group-size 32", "bnb", "int8 CALIBRATION", "fp4 --scheme mxfp4"})
    void isQuantized(String command) {
        Path ofStored = quantize(command, Source.BLOCKS.stored(), "stored");
        Path ofPlain = quantize(command, Source.BLOCKS.plain(), "plain");

        assertThat(new MadeCheckpoint(ofStored).files()).isEqualTo(new MadeCheckpoint(ofPlain).files());
        CommandRun.of("verify", ofStored, "--source", Source.BLOCKS.stored()).requireDone();
    }

    private Path quantize(String command, Path model, String name) {
        Path made = folder.resolve(name);
        List<Object> words =
                new ArrayList<>(List.of(command.replace(" CALIBRATION", "").split(" ")));
        words.addAll(1, List.of(model, "--out", made, "--device", "host"));
        if (command.contains("CALIBRATION")) {
            words.addAll(List.of("--calibration", text, "--sequence-length", 32, "--samples", 2));
        }
        CommandRun.of(words.toArray()).requireDone();
        return made;
    }

    @Test
    void isMeasuredAndPlanned() {
        List<Path> importance = new ArrayList<>();
        for (Path model : List.of(Source.CHANNELS.stored(), Source.CHANNELS.plain())) {
            Path file = folder.resolve(importance.size() + ".gguf");
            CommandRun.of(
                            "imatrix",
                            model,
                            "--calibration",
                            text,
                            "--chunk-size",
                            32,
                            "--out",
                            file,
                            "--device",
                            "host")
                    .requireDone();
            importance.add(file);
        }
        assertThat(importance.getFirst()).hasSameBinaryContentAs(importance.getLast());

        assertThat(plan(Source.CHANNELS.stored())).isEqualTo(plan(Source.CHANNELS.plain()));
    }

    private static JsonNode plan(Path model) {
        ObjectNode json = (ObjectNode) CommandRun.of("plan", model, "--group-size", 32, "--device", "host", "--json")
                .requireDone()
                .json();
        json.remove("matrix_product_seconds");
        return json;
    }

    /** Weights are multiplied by their scales and not rounded there, so numbers are close and not the same. */
    @Test
    void isComputedWith() {
        Path quantized = quantize("rtn --group-size 32", Source.CHANNELS.plain(), "rtn");
        JsonNode ofStored = compare(Source.CHANNELS.stored(), quantized);
        JsonNode ofPlain = compare(Source.CHANNELS.plain(), quantized);

        assertThat(ofStored.path(0).path("format").asText()).isEqualTo("compressed-tensors FP8_DYNAMIC");
        for (String measure : List.of("perplexity", "kl_divergence", "bits_per_weight")) {
            double expected = ofPlain.path(1).path(measure).asDouble();
            assertThat(ofStored.path(1).path(measure).asDouble())
                    .as(measure)
                    .isCloseTo(expected, within(0.01 * expected));
        }
        double expected = ofPlain.path(0).path("perplexity").asDouble();
        assertThat(ofStored.path(0).path("perplexity").asDouble()).isCloseTo(expected, within(1e-3 * expected));
        assertThat(ofStored.path(0).path("bits_per_weight").asDouble()).isBetween(12.0, 14.0);
        assertThat(perplexity(Source.CHANNELS.stored())).isCloseTo(expected, within(1e-3 * expected));
    }

    private static JsonNode compare(Path base, Path quantized) {
        return measured("compare", base, quantized).path("checkpoints");
    }

    private static double perplexity(Path model) {
        return measured("ppl", model).path("perplexity").asDouble();
    }

    private static JsonNode measured(Object... command) {
        List<Object> words = new ArrayList<>(List.of(command));
        words.addAll(List.of("--text", text, "--sequence-length", 32, "--tokens", 128, "--device", "host", "--json"));
        return CommandRun.of(words.toArray()).requireDone().json();
    }

    @Test
    void otherQuantizedCheckpointsAreRefused() {
        Path quantized = quantize("rtn --group-size 32", Source.CHANNELS.plain(), "rtn");
        for (String command : List.of("gguf --type Q4_0", "imatrix", "gptq", "bnb")) {
            List<Object> words = new ArrayList<>(List.of(command.split(" ")));
            words.addAll(1, List.of(quantized, "--device", "host"));
            CommandRun.of(words.toArray())
                    .requireRefused(3, quantized + " is already quantized (gptq); give the original checkpoint");
        }
        CommandRun.of("convert", quantized, "--to", "safetensors")
                .requireRefused(
                        2, "--to safetensors is for GGUF files and FP8 checkpoints, but " + quantized + " is gptq");
        CommandRun.of("convert", Source.BLOCKS.stored(), "--to", "safetensors", "--dtype", "F32")
                .requireRefused(2, "--dtype is for GGUF files");
        CommandRun.of("convert", Source.BLOCKS.stored(), "--to", "gemm").requireRefused(3, "safetensors");
    }
}
