package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.job.TinyModel;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code gpuquant verify} finds damage of every kind and names the tensor. */
class VerifyCommandTest {

    private static final int DAMAGED = 5;
    private static final String LINEAR = "model.layers.1.self_attn.o_proj";

    @TempDir
    static Path shared;

    private static Path model = Path.of("");
    private static Path quantized = Path.of("");

    @TempDir
    Path folder;

    private Path made = Path.of("");

    @BeforeAll
    static void quantizeOnce() {
        model = TinyModel.narrow()
                .dtype(DType.BF16, "bfloat16")
                .config(config -> config.put("attention_bias", true))
                .write(shared.resolve("model"));
        quantized = shared.resolve("quantized");
        CommandRun.of("rtn", model, "--group-size", "32", "--out", quantized).requireDone();
    }

    @BeforeEach
    void copyQuantized() throws IOException {
        made = Files.createDirectory(folder.resolve("made"));
        try (Stream<Path> files = Files.list(quantized)) {
            for (Path file : files.toList()) {
                Files.copy(file, made.resolve(file.getFileName()));
            }
        }
    }

    private CommandRun verify(Object... more) {
        List<Object> arguments = new ArrayList<>(List.of("verify", made));
        arguments.addAll(List.of(more));
        return CommandRun.of(arguments.toArray());
    }

    /** Writes the weights anew, and without the checksums of before, so that only their content can give them away. */
    private void rewrite(UnaryOperator<HostTensor> change) {
        rewrite(List.of(), change);
    }

    private void rewrite(List<String> without, UnaryOperator<HostTensor> change) {
        try {
            Path weights = made.resolve("model.safetensors");
            Files.deleteIfExists(made.resolve("quantization_report.json"));
            Path rewritten = folder.resolve("rewritten");
            try (Checkpoint checkpoint = Checkpoint.open(made)) {
                TestCheckpoints.write(
                        rewritten,
                        checkpoint.tensors().stream()
                                .filter(info -> !without.contains(info.name()))
                                .map(info -> change.apply(copy(checkpoint.tensor(info.name()))))
                                .toList());
            }
            Files.delete(weights);
            Files.move(rewritten.resolve("model.safetensors"), weights);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static HostTensor copy(HostTensor tensor) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[Math.toIntExact(tensor.byteSize())]);
        bytes.copyFrom(tensor.data());
        return new HostTensor(tensor.name(), tensor.dtype(), tensor.shape(), bytes);
    }

    private static UnaryOperator<HostTensor> changing(String name, Consumer<MemorySegment> change) {
        return tensor -> {
            if (tensor.name().equals(name)) {
                change.accept(tensor.data());
            }
            return tensor;
        };
    }

    private void changeConfig(Consumer<ObjectNode> change) throws IOException {
        Path file = made.resolve("config.json");
        ObjectNode config = (ObjectNode) new ObjectMapper().readTree(file.toFile());
        change.accept(config);
        Files.writeString(file, config.toString());
    }

    @Test
    void soundCheckpointsAreInOrder() {
        CommandRun alone = verify().requireDone();
        assertThat(alone.out()).isEqualTo(made + " is in order: 73 tensors, 14 quantized linears\n");

        CommandRun compared = verify("--source", model).requireDone();
        assertThat(compared.out())
                .startsWith(alone.out())
                .containsPattern(
                        "31 tensors compared with .*; largest relative weight error 0\\.0\\d+ \\(model\\.layers");

        JsonNode json = verify("--source", model, "--json").requireDone().json();
        assertThat(json.path("folder").asText()).isEqualTo(made.toString());
        assertThat(json.path("tensors").asInt()).isEqualTo(73);
        assertThat(json.path("quantized_linears").asInt()).isEqualTo(14);
        assertThat(json.path("compared_tensors").asInt()).isEqualTo(31);
        assertThat(json.path("worst_weight_error").asDouble()).isBetween(0.001, 0.05);
        assertThat(json.path("worst_linear").asText()).startsWith("model.layers.");
    }

    @Test
    void plainCheckpointsAreCheckedToo() {
        CommandRun run = CommandRun.of("verify", model, "--source", model).requireDone();

        assertThat(run.out()).contains("is in order: 31 tensors, 0 quantized linears", "31 tensors compared");
    }

    @ParameterizedTest
    @ValueSource(strings = {".qweight", ".scales", ".qzeros", ".g_idx", ".bias"})
    void flippedBitIsFound(String part) throws IOException {
        String tensor = LINEAR + part;
        try (Checkpoint checkpoint = Checkpoint.open(made);
                FileChannel file = FileChannel.open(
                        made.resolve("model.safetensors"), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long header = 8 + headerBytes(file);
            long position = header + checkpoint.info(tensor).offset() + 3;
            ByteBuffer one = ByteBuffer.allocate(1);
            file.read(one, position);
            one.put(0, (byte) (one.get(0) ^ 1)).rewind();
            file.write(one, position);
        }

        verify().requireRefused(DAMAGED, made.resolve("model.safetensors") + ": " + tensor);
    }

    /** A safetensors file begins with the length of its header. */
    private static long headerBytes(FileChannel file) throws IOException {
        ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        file.read(length, 0);
        return length.getLong(0);
    }

    @Test
    void truncatedFileIsFound() throws IOException {
        try (FileChannel file = FileChannel.open(made.resolve("model.safetensors"), StandardOpenOption.WRITE)) {
            file.truncate(file.size() - 100);
        }

        verify().requireRefused(DAMAGED, made.resolve("model.safetensors").toString());
    }

    @Test
    void scaleThatIsNoneIsFound() {
        String scales = LINEAR + ".scales";
        for (float bad : new float[] {0, -0.5f, Float.NaN, Float.POSITIVE_INFINITY}) {
            rewrite(changing(scales, data -> Elements.setFloat(data, DType.F16, 7, bad)));
            verify().requireRefused(DAMAGED, scales + " holds the scale " + bad + " at element 7");
        }
    }

    @Test
    void zeroPointThatIsNotTheMiddleIsFound() {
        String zeros = LINEAR + ".qzeros";
        // The lowest four bits belong to output feature 0 of the first group.
        rewrite(changing(zeros, data -> data.set(Elements.INT, 0, 0x7777_7773)));

        verify().requireRefused(DAMAGED, zeros + " holds the zero point 4, although sym is true in config.json");
    }

    @Test
    void groupsThatAreNotSequentialAreFound() {
        String groups = LINEAR + ".g_idx";
        rewrite(changing(groups, data -> data.set(Elements.INT, 4 * 40, 0)));

        verify().requireRefused(DAMAGED, groups + " is not sequential, although desc_act is false", "at element 40");
    }

    @Test
    void groupsThatAreNotThereAreFound() throws IOException {
        String groups = LINEAR + ".g_idx";
        for (int bad : new int[] {2, -1}) {
            rewrite(changing(groups, data -> data.set(Elements.INT, 4 * 9, bad)));
            verify().requireRefused(DAMAGED, groups + " names group " + bad + " of 2 at element 9");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {".qzeros", ".scales", ".g_idx"})
    void missingTensorOfALinearIsFound(String part) {
        rewrite(List.of(LINEAR + part), UnaryOperator.identity());

        verify().requireRefused(DAMAGED, "has no tensor " + LINEAR + part);
    }

    @Test
    void missingTensorIsFoundByItsChecksumOrItsSource() throws IOException {
        byte[] report = Files.readAllBytes(made.resolve("quantization_report.json"));
        rewrite(List.of("model.norm.weight"), UnaryOperator.identity());

        verify("--source", model).requireRefused(DAMAGED, made + " lacks the tensor model.norm.weight of " + model);
        Files.write(made.resolve("quantization_report.json"), report);
        verify().requireRefused(DAMAGED, made + " lacks the tensor model.norm.weight, which was written");
    }

    @Test
    void halfQuantizedStageIsFound() {
        String query = "model.layers.0.self_attn.q_proj";
        rewrite(
                List.of(query + ".qweight", query + ".qzeros", query + ".scales", query + ".g_idx"),
                UnaryOperator.identity());

        verify().requireRefused(DAMAGED, "only 2 are quantized, which engines that fuse them refuse");
    }

    @Test
    void weightBesideItsCodesIsFound() {
        String norm = "model.layers.1.input_layernorm.weight";
        rewrite(tensor -> tensor.name().equals(norm)
                ? TestCheckpoints.tensor(LINEAR + ".weight", DType.F16, Shape.of(1), 1)
                : tensor);

        verify().requireRefused(DAMAGED, LINEAR + ".weight is there although the linear is quantized");
    }

    @Test
    void infinityInATensorThatIsNotQuantizedIsFound() {
        rewrite(changing("lm_head.weight", data -> Elements.setFloat(data, DType.BF16, 11, Float.NEGATIVE_INFINITY)));

        verify().requireRefused(DAMAGED, "lm_head.weight holds a NaN or an infinity at element 11");
    }

    @Test
    void configurationOfOtherBitsOrGroupsIsFound() throws IOException {
        changeConfig(config -> ((ObjectNode) config.path("quantization_config")).put("bits", 8));
        verify().requireRefused(DAMAGED, "model.layers.0.self_attn.q_proj.qweight is I32", "8-bit linear");

        changeConfig(config ->
                ((ObjectNode) config.path("quantization_config")).put("bits", 4).put("group_size", 64));
        verify().requireRefused(DAMAGED, "model.layers.0.self_attn.q_proj.qzeros is I32", "groups of 64");
    }

    @Test
    void configurationOfOtherShapesIsFound() throws IOException {
        changeConfig(config -> config.put("intermediate_size", 128));

        verify().requireRefused(DAMAGED, "model.layers.0.mlp.gate_proj.qweight is a linear of 64 to 64", "64 to 128");
    }

    @Test
    void quantizationThatIsOnlyClaimedIsFound() throws IOException {
        Path plain = TinyModel.narrow()
                .config(config -> config.putObject("quantization_config")
                        .put("quant_method", "gptq")
                        .put("bits", 4))
                .write(folder.resolve("plain"));

        CommandRun.of("verify", plain)
                .requireRefused(DAMAGED, plain + " says it is quantized, but no linear of the model is");
    }

    @Test
    void unquantizedTensorsAreComparedByteForByte() {
        rewrite(changing("model.embed_tokens.weight", data -> data.set(Elements.SHORT, 2 * 500, (short) 0)));

        verify().requireDone();
        verify("--source", model)
                .requireRefused(
                        DAMAGED, "model.embed_tokens.weight differs from " + model, "although it is not quantized");
    }

    /** AWQ may scale the norms of layers, but never the last. */
    @Test
    void lastNormOfAnAwqCheckpointIsComparedByteForByte() {
        made = folder.resolve("awq");
        CommandRun.of("rtn", model, "--format", "awq", "--group-size", "32", "--out", made)
                .requireDone();
        verify("--source", model).requireDone();
        rewrite(changing("model.norm.weight", data -> Elements.setFloat(data, DType.BF16, 3, 0.25f)));

        verify().requireDone();
        verify("--source", model).requireRefused(DAMAGED, "model.norm.weight differs from " + model + " at byte 6");
    }

    @Test
    void placeOfDamageInTheFileIsSaid() throws IOException {
        String scales = LINEAR + ".scales";
        rewrite(changing(scales, data -> Elements.setFloat(data, DType.F16, 7, Float.NaN)));
        long position;
        try (Checkpoint checkpoint = Checkpoint.open(made)) {
            position = checkpoint.positionOf(scales) + 14;
        }
        byte[] file = Files.readAllBytes(made.resolve("model.safetensors"));
        // The high byte of a NaN of binary16.
        assertThat(file[Math.toIntExact(position) + 1]).isEqualTo((byte) 0x7e);

        verify().requireRefused(DAMAGED, "at element 7, byte " + position + " of the file");
    }

    @Test
    void roundedBiasesAreComparedAsTheyAreRounded() {
        rewrite(changing(LINEAR + ".bias", data -> Elements.setFloat(data, DType.F16, 3, 0.5f)));

        verify("--source", model).requireRefused(DAMAGED, LINEAR + ".bias differs from " + model + " at byte 6");
    }

    @Test
    void tensorOfAnotherTypeIsFound() {
        String norm = "model.norm.weight";
        rewrite(tensor -> tensor.name().equals(norm)
                ? TestCheckpoints.tensor(norm, DType.F16, tensor.shape(), new float[64])
                : tensor);

        verify("--source", model).requireRefused(DAMAGED, norm + " is F16[64], but BF16[64] in " + model);
    }

    @Test
    void codesOfAnotherModelAreFound() {
        rewrite(changing(LINEAR + ".qweight", data -> data.fill((byte) 0xa5)));

        verify().requireDone();
        verify("--source", model).requireRefused(DAMAGED, LINEAR + " does not stand for the weights in " + model);
    }

    @Test
    void damagedReportIsFound() throws IOException {
        Files.writeString(made.resolve("quantization_report.json"), "{\"crc32c\": ");

        verify().requireRefused(DAMAGED, "quantization_report.json is damaged");
    }

    @Test
    void whatIsNoCheckpointIsBadInput() throws IOException {
        CommandRun.of("verify", folder.resolve("none"))
                .requireRefused(3, folder.resolve("none").toString());
        CommandRun.of("verify", Files.createDirectory(folder.resolve("empty"))).requireRefused(3, "config.json");
        verify("--source", folder.resolve("none")).requireRefused(3, folder.resolve("none") + " does not exist");
    }

    @Test
    void otherMethodsCannotBeVerified() throws IOException {
        changeConfig(config -> config.putObject("quantization_config").put("quant_method", "hqq"));

        verify().requireRefused(DAMAGED, "quantized by hqq; only plain, GPTQ, AWQ, bitsandbytes, FP8 and");
    }
}
