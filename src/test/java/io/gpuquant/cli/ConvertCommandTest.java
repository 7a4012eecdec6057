package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code gpuquant convert}: there and back to the byte. */
class ConvertCommandTest {

    private static final int USAGE = 2;
    private static final int BAD_INPUT = 3;
    private static final String MLP = "model.layers.0.mlp.down_proj";
    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");

    @TempDir
    static Path shared;

    private static Path model = Path.of("");
    private static Path gemm = Path.of("");

    @TempDir
    Path folder;

    @BeforeAll
    static void writeOnce() {
        model = TinyModel.narrow()
                .layers(1)
                .dtype(DType.BF16, "bfloat16")
                .config(config -> config.put("attention_bias", true))
                .shards(100_000)
                .write(shared.resolve("model"));
        gemm = quantize("gemm", "--format", "awq", "--no-sym", "--group-size", "32");
    }

    private static Path quantize(String name, String... options) {
        Path out = shared.resolve(name);
        Object[] command = new Object[options.length + 4];
        System.arraycopy(new Object[] {"rtn", model, "--out", out}, 0, command, 0, 4);
        System.arraycopy(options, 0, command, 4, options.length);
        CommandRun.of(command).requireDone();
        return out;
    }

    private Path convert(Path from, String to, String name) {
        Path out = folder.resolve(name);
        CommandRun.of("convert", from, "--to", to, "--out", out).requireDone();
        CommandRun.of("verify", out).requireDone();
        return out;
    }

    @ParameterizedTest
    @CsvSource({"gemv", "compressed-tensors"})
    void comesBackToTheSameBytes(String other) {
        Path there = convert(gemm, other, "there");
        Path back = convert(there, "gemm", "back");

        assertThat(new MadeCheckpoint(there).files()).isNotEqualTo(new MadeCheckpoint(gemm).files());
        assertThat(new MadeCheckpoint(back).files()).isEqualTo(new MadeCheckpoint(gemm).files());
    }

    @Test
    void goesAroundThroughAllLayouts() {
        Path compressed = convert(gemm, "compressed-tensors", "compressed");
        Path gemv = convert(compressed, "gemv", "gemv");
        Path again = convert(gemv, "compressed-tensors", "again");

        assertThat(new MadeCheckpoint(again).files()).isEqualTo(new MadeCheckpoint(compressed).files());
        assertThat(new MadeCheckpoint(convert(gemv, "gemm", "back")).files())
                .isEqualTo(new MadeCheckpoint(gemm).files());
    }

    @Test
    void symmetricGridsLoseTheirZeroPointsAndGetThemBack() {
        Path symmetric = quantize("symmetric", "--format", "compressed-tensors", "--group-size", "32");
        Path awq = convert(symmetric, "gemm", "awq");
        Path back = convert(awq, "compressed-tensors", "back");

        try (Checkpoint checkpoint = Checkpoint.open(awq)) {
            PackedLinear linear = read(checkpoint, new AwqScheme(32, true, AwqVersion.GEMM));
            for (int out = 0; out < linear.out(); out++) {
                assertThat(linear.zero(0, out)).isEqualTo(8);
            }
        }
        // In BF16, as they were: all are numbers of both half types.
        assertThat(new MadeCheckpoint(back).files()).isEqualTo(new MadeCheckpoint(symmetric).files());
    }

    @ParameterizedTest
    @CsvSource({
        "gptq, 4, --sym, 32, true",
        "gptq_v2, 4, --no-sym, 32, true",
        "gptq, 8, --sym, -1, false",
        "gptq, 3, --no-sym, 32, false"
    })
    void takesGptqWhereOtherLayoutsHoldIt(String format, int bits, String grids, int groupSize, boolean awq) {
        Path source = quantize(
                format + bits,
                "--format",
                format,
                "--bits",
                String.valueOf(bits),
                grids,
                "--group-size",
                "" + groupSize);
        boolean symmetric = grids.equals("--sym");
        GptqVersion version = format.equals("gptq") ? GptqVersion.V1 : GptqVersion.V2;
        GptqScheme from = new GptqScheme(bits, groupSize, symmetric, false, version);

        Path compressed = convert(source, "compressed-tensors", "compressed");
        assertSameWeights(source, from, compressed, new PackQuantizedScheme(bits, groupSize, symmetric, DType.F16));
        assertThat(new MadeCheckpoint(compressed).names()).noneMatch(name -> name.endsWith("g_idx"));
        assertThat(compressed.resolve("quantize_config.json")).doesNotExist();
        if (awq) {
            Path gemmOfIt = convert(source, "gemm", "gemm");
            assertSameWeights(source, from, gemmOfIt, new AwqScheme(groupSize, false, AwqVersion.GEMM));
            assertThat(new MadeCheckpoint(gemmOfIt)
                            .json("quant_config.json")
                            .path("q_group_size")
                            .asInt())
                    .isEqualTo(groupSize);
        } else {
            CommandRun.of("convert", source, "--to", "gemm", "--out", folder.resolve("refused"))
                    .requireRefused(BAD_INPUT, bits + "-bit", "4-bit");
            assertThat(folder.resolve("refused")).doesNotExist();
            assertThat(folder.resolve("refused.partial")).doesNotExist();
        }
    }

    private static void assertSameWeights(Path a, PackedScheme ofA, Path b, PackedScheme ofB) {
        try (Checkpoint first = Checkpoint.open(a);
                Checkpoint second = Checkpoint.open(b)) {
            PackedLinear one = read(first, ofA);
            PackedLinear other = read(second, ofB);
            for (int out = 0; out < one.out(); out++) {
                for (int in = 0; in < one.in(); in++) {
                    assertThat(other.weight(out, in)).isEqualTo(one.weight(out, in));
                }
            }
        }
    }

    private static PackedLinear read(Checkpoint checkpoint, PackedScheme scheme) {
        return scheme.read(name -> checkpoint.find(name).map(info -> checkpoint.tensor(name)), MLP);
    }

    @Test
    void upstreamsCheckpointComesBackToTheSameTensors() {
        for (String golden : List.of("ct_W4A16", "ct_W4A16_ASYM")) {
            Path source = GOLDENS.resolve(golden);
            Path awq = convert(source, "gemm", golden + "-gemm");
            Path back = convert(awq, "compressed-tensors", golden + "-back");

            MadeCheckpoint theirs = new MadeCheckpoint(source);
            MadeCheckpoint ours = new MadeCheckpoint(back);
            assertThat(ours.names()).containsExactlyInAnyOrderElementsOf(theirs.names());
            for (String tensor : theirs.names()) {
                assertThat(ours.content(tensor)).as(tensor).isEqualTo(theirs.content(tensor));
            }
            assertThat(ours.quantizationConfig()).isEqualTo(theirs.quantizationConfig());
        }
    }

    @Test
    void keepsEverythingElse() throws IOException {
        Path out = folder.resolve("out");
        JsonNode json = CommandRun.of("convert", gemm, "--to", "compressed-tensors", "--out", out, "--json")
                .requireDone()
                .json();

        MadeCheckpoint made = new MadeCheckpoint(out);
        MadeCheckpoint source = new MadeCheckpoint(gemm);
        assertThat(json.path("linears").asInt()).isEqualTo(7);
        int copied = 0;
        for (String tensor : made.names()) {
            if (!tensor.contains(".weight_")) {
                assertThat(made.content(tensor)).isEqualTo(source.content(tensor));
                copied++;
            }
        }
        assertThat(json.path("copied_tensors").asInt()).isEqualTo(copied);
        ObjectNode ours = (ObjectNode) made.json("config.json");
        ObjectNode theirs = (ObjectNode) source.json("config.json");
        ours.remove("quantization_config");
        theirs.remove("quantization_config");
        assertThat(ours).isEqualTo(theirs);
        for (String file : List.of("tokenizer.json", "generation_config.json", "LICENSE", "chat_template.jinja")) {
            assertThat(out.resolve(file)).hasSameBinaryContentAs(gemm.resolve(file));
        }
        assertThat(made.json("quantization_report.json").path("linears"))
                .isEqualTo(source.json("quantization_report.json").path("linears"));
        assertThat(json.path("warnings").toString()).contains("bfloat16", "not a BF16 number");
        String before = perplexity(gemm);
        assertThat(perplexity(out)).isEqualTo(before);
    }

    private static String perplexity(Path folder) {
        Path text = TinyModel.writeText(shared.resolve("text.jsonl"));
        return CommandRun.of(
                        "ppl",
                        folder,
                        "--text",
                        text,
                        "--sequence-length",
                        32,
                        "--tokens",
                        64,
                        "--device",
                        "host",
                        "--json")
                .requireDone()
                .json()
                .path("perplexity")
                .asText();
    }

    @Test
    void namesTheOutputAfterTheSourceAndReplacesOnlyWhenTold() {
        CommandRun.of("convert", gemm, "--to", "gemv").requireDone();
        Path made = shared.resolve("gemm-gemv");
        Map<String, String> first = new MadeCheckpoint(made).files();
        CommandRun.of("convert", gemm, "--to", "gemv").requireRefused(USAGE, "exists already", "--overwrite");
        CommandRun.of("convert", gemm, "--to", "gemv", "--overwrite").requireDone();
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(first);
        assertThat(CommandRun.of("convert", gemm, "--to", "gemv", "--overwrite")
                        .requireDone()
                        .err())
                .contains("GEMV layout loads in GPTQModel");
    }

    @Test
    void refusesWhatCannotBeConverted() throws IOException {
        Path out = folder.resolve("out");
        CommandRun.of("convert", gemm, "--to", "gemm", "--out", out).requireRefused(USAGE, "gemm already");
        CommandRun.of("convert", model, "--to", "gemm", "--out", out).requireRefused(BAD_INPUT, "is not quantized");
        CommandRun.of("convert", gemm, "--to", "marlin", "--out", out).requireRefused(USAGE, "marlin");
        Path small = quantize("small", "--format", "awq", "--group-size", "16");
        CommandRun.of("convert", small, "--to", "gemv", "--out", out).requireRefused(BAD_INPUT, "groups of 16");
        CommandRun.of("convert", shared.resolve("nothing"), "--to", "gemv", "--out", out)
                .requireRefused(BAD_INPUT, "nothing");
        assertThat(out).doesNotExist();
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        Path active = folder.resolve("active");
        CommandRun.of(
                        "gptq",
                        model,
                        "--out",
                        active,
                        "--desc-act",
                        "--group-size",
                        32,
                        "--calibration",
                        text,
                        "--samples",
                        4,
                        "--device",
                        "host")
                .requireDone();
        CommandRun.of("convert", active, "--to", "gemm", "--out", out).requireRefused(BAD_INPUT, "desc_act");
    }

    @Test
    void doesNotPassOnDamage() throws IOException {
        Path damaged = convert(gemm, "compressed-tensors", "damaged");
        Path file = damaged.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes, StandardOpenOption.TRUNCATE_EXISTING);
        CommandRun.of("convert", damaged, "--to", "gemm", "--out", folder.resolve("out"))
                .requireRefused(BAD_INPUT, "not what was written");
        Files.delete(damaged.resolve("quantization_report.json"));
        ObjectNode config = (ObjectNode)
                new ObjectMapper().readTree(damaged.resolve("config.json").toFile());
        ((ObjectNode) config.at("/quantization_config/config_groups/group_0/weights")).put("num_bits", 8);
        Files.writeString(damaged.resolve("config.json"), config.toString());
        CommandRun.of("convert", damaged, "--to", "gemm", "--out", folder.resolve("out"))
                .requireRefused(BAD_INPUT, "8-bit linear");
        assertThat(folder.resolve("out")).doesNotExist();
    }

    @Test
    void leavesTheLayersOfAnUnfinishedRunAlone() throws IOException {
        Path partial = Files.createDirectory(folder.resolve("out.partial"));
        Path journal = Files.writeString(
                partial.resolve(".journal"),
                "{\"gpuquant\":\"x\",\"fingerprint\":\"y\"}\n{\"layer\":0,\"checksums\":{}}\n");
        String before = Files.readString(journal);

        CommandRun.of("convert", gemm, "--to", "gemv", "--out", folder.resolve("out"))
                .requireRefused(USAGE, "out.partial", "unfinished");
        assertThat(journal).hasContent(before);
    }
}
