package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** What cannot be done is refused in one sentence, with the right exit code, and leaves nothing behind. */
class BadInputTest {

    private static final int USAGE = 2;
    private static final int INPUT = 3;
    private static final int RESOURCES = 4;

    @TempDir
    Path folder;

    private Path model = Path.of("");
    private Path text = Path.of("");
    private Path made = Path.of("");

    @BeforeEach
    void nameFiles() {
        model = folder.resolve("model");
        text = folder.resolve("text.jsonl");
        made = folder.resolve("made");
    }

    @AfterEach
    void nothingIsLeftBehind() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .noneMatch(name -> name.contains("partial") || name.contains("old"));
        }
        assertThat(made).doesNotExist();
    }

    private CommandRun gptq(Object... more) {
        List<String> arguments = new ArrayList<>(List.of("gptq", model.toString()));
        List.of(more).forEach(argument -> arguments.add(argument.toString()));
        Map<String, Object> defaults = Map.of("--out", made, "--group-size", 32, "--samples", 4);
        defaults.forEach((option, value) -> {
            if (arguments.stream().noneMatch(argument -> argument.startsWith(option))) {
                arguments.add(option + "=" + value);
            }
        });
        return CommandRun.of(arguments.toArray());
    }

    @Test
    void missingFolder() {
        gptq().requireRefused(INPUT, model.toString());
    }

    @Test
    void missingConfiguration() throws IOException {
        TinyModel.narrow().write(model);
        Files.delete(model.resolve("config.json"));

        gptq().requireRefused(INPUT, "config.json");
    }

    @Test
    void missingWeights() throws IOException {
        TinyModel.narrow().write(model);
        Files.delete(model.resolve("model.safetensors"));

        gptq().requireRefused(INPUT, model + " holds neither model.safetensors nor");
    }

    @Test
    void missingTokenizer() throws IOException {
        TinyModel.narrow().write(model);
        Files.delete(model.resolve("tokenizer.json"));

        gptq().requireRefused(INPUT, model + " has no tokenizer.json", "save_pretrained");
    }

    @Test
    void rtnNeedsNoTokenizer() throws IOException {
        TinyModel.narrow().write(model);
        Files.delete(model.resolve("tokenizer.json"));

        CommandRun.of("rtn", model, "--group-size", "32").requireDone();
    }

    @Test
    void unknownModelType() {
        TinyModel.narrow().config(config -> config.put("model_type", "mamba")).write(model);

        gptq().requireRefused(INPUT, "config.json", "model_type", "mamba", "llama");
    }

    @Test
    void alreadyQuantized() {
        TinyModel.narrow()
                .config(config -> config.putObject("quantization_config").put("quant_method", "awq"))
                .write(model);

        gptq().requireRefused(INPUT, model + " is already quantized (awq)", "give the original checkpoint");
    }

    @Test
    void missingTensor() {
        TinyModel.narrow().write(model);
        TinyModel wider = TinyModel.narrow().layers(3);
        wider.write(folder.resolve("other"));
        copy(folder.resolve("other/config.json"), model.resolve("config.json"));

        gptq().requireRefused(INPUT, "has no tensor model.layers.2.", "which its config.json calls for");
    }

    @Test
    void tensorOfAnotherShape() {
        TinyModel.narrow().write(model);
        TinyModel.narrow()
                .config(config -> config.put("intermediate_size", 128))
                .write(folder.resolve("other"));
        copy(folder.resolve("other/config.json"), model.resolve("config.json"));

        gptq().requireRefused(INPUT, "mlp.gate_proj.weight has shape [64, 64], but config.json calls for [128, 64]");
    }

    private static void copy(Path from, Path to) {
        try {
            Files.write(to, Files.readAllBytes(from));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void truncatedWeights() throws IOException {
        TinyModel.narrow().write(model);
        try (FileChannel file = FileChannel.open(model.resolve("model.safetensors"), StandardOpenOption.WRITE)) {
            file.truncate(file.size() - 10);
        }

        gptq().requireRefused(INPUT, "model.safetensors");
    }

    @Test
    void missingCalibrationText() {
        TinyModel.narrow().write(model);

        gptq("--calibration", text).requireRefused(INPUT, text + " does not exist");
    }

    @Test
    void emptyCalibrationText() throws IOException {
        TinyModel.narrow().write(model);
        Files.writeString(text, "");

        gptq("--calibration", text).requireRefused(INPUT, text + " is empty; give a file that has text");
    }

    @Test
    void calibrationTextThatIsNotJsonLines() throws IOException {
        TinyModel.narrow().write(model);
        Files.writeString(text, "{\"text\": \"one\"}\n{\"text\": \n");

        gptq("--calibration", text).requireRefused(INPUT, text + " line 2 is not valid JSON");
    }

    @Test
    void calibrationTextWithoutTheField() {
        TinyModel.narrow().write(model);
        TinyModel.writeText(text);

        gptq("--calibration", text, "--text-field", "body")
                .requireRefused(INPUT, "no field \"body\" but \"text\", \"title\"", "--text-field");
    }

    @Test
    void calibrationTextThatIsAFolder() {
        TinyModel.narrow().write(model);

        gptq("--calibration", folder).requireRefused(INPUT, folder + " is a folder");
    }

    @Test
    void textShorterThanOneSequence() throws IOException {
        TinyModel.narrow().write(model);
        Files.writeString(text, "{\"text\": \"Too short.\"}\n");

        gptq("--calibration", text).requireRefused(INPUT, "tokens, fewer than one sequence of 32", "--sequence-length");
    }

    @Test
    void tokenizerOfAnotherModel() {
        TinyModel.narrow().config(config -> config.put("vocab_size", 64)).write(model);

        gptq().requireRefused(INPUT, "but the model has 64 tokens");
    }

    @ParameterizedTest
    @ValueSource(strings = {"5", "0", "16"})
    void bitsThatNoFormatHas(String bits) {
        gptq("--bits", bits).requireRefused(USAGE, "--bits " + bits + " is not supported; use 2, 3, 4 or 8");
    }

    @Test
    void groupSizeThatIsNone() {
        gptq("--group-size", "-2").requireRefused(USAGE, "--group-size -2 is not a group size");
    }

    @Test
    void groupSizeThatDoesNotDivide() {
        TinyModel.narrow().write(model);

        CommandRun.of("gptq", model, "--out", made)
                .requireRefused(
                        INPUT,
                        "--group-size 128 does not divide the 64 input features of model.layers.0.self_attn.q_proj",
                        "use 64, 32, -1");
    }

    @Test
    void modelOfWhichNothingCanBePacked() {
        TinyModel.narrow()
                .config(config -> config.put("hidden_size", 48)
                        .put("intermediate_size", 80)
                        .put("num_attention_heads", 1)
                        .put("head_dim", 16))
                .write(model);

        CommandRun.of("rtn", model, "--out", made, "--group-size", "16")
                .requireRefused(INPUT, "no linear of " + model + " can be quantized", "multiples of 32");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--damp=1.0", "--damp=0.0", "--damp=NaN", "--samples=0", "--sequence-length=1", "--threads=0"})
    void numbersOutOfRange(String option) {
        TinyModel.narrow().write(model);

        gptq(option).requireRefused(USAGE, "gpuquant: " + option.replace('=', ' '), " is ");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--damp=little", "--format=marlin", "--device-memory=large", "--device-memory=-1GB", "--bits"})
    void valuesThatAreNone(String option) {
        gptq(option).requireRefused(USAGE, "'gpuquant gptq --help' explains");
    }

    @Test
    void formatOfAnotherMethod() {
        new TinyModel().write(model);

        gptq("--format=awq").requireRefused(USAGE, "--format awq", "gptq_v2");
    }

    @Test
    void unknownOptionsAndCommands() {
        gptq("--fast").requireRefused(USAGE, "--fast", "'gpuquant gptq --help' explains");
        CommandRun.of("onnx", "x").requireRefused(USAGE, "onnx", "'gpuquant --help' explains");
        CommandRun.of().requireRefused(USAGE, "a command is missing; 'gpuquant --help' lists them");
        CommandRun.of("gptq").requireRefused(USAGE, "MODEL");
    }

    @Test
    void unknownDevice() {
        TinyModel.narrow().write(model);

        gptq("--device", "tpu").requireRefused(USAGE, "--device tpu is not a device; use auto, host or cuda:N");
        gptq("--device", "cuda:99").requireRefused(RESOURCES, "--device cuda:99");
    }

    @Test
    void deviceMemoryThatIsTooLittle() {
        TinyModel.narrow().write(model);

        gptq("--device", "host", "--device-memory", "100KB")
                .requireRefused(
                        RESOURCES,
                        "calibrating takes at least",
                        "on host (attention-in: ",
                        "gate and up 65.5 KB",
                        "but 100 KB may be used",
                        "--device-memory");
        CommandRun.of("rtn", model, "--out", made, "--group-size", "32", "--device", "host", "--device-memory", "10KB")
                .requireRefused(RESOURCES, "not enough memory on host: weights of layer 0", "--device-memory");
    }

    @Test
    void outputThatIsAFile() throws IOException {
        TinyModel.narrow().write(model);
        Path file = Files.writeString(folder.resolve("file"), "a file");

        gptq("--out", file).requireRefused(USAGE, file + " exists already");
        gptq("--out", file, "--overwrite").requireRefused(USAGE, file + " is a file, which a folder cannot replace");
        assertThat(file).hasContent("a file");
    }

    @Test
    void overwriteRemovesNeitherTheModelNorStrangeFolders() throws IOException {
        TinyModel.narrow().write(model);
        Path link = Files.createSymbolicLink(folder.resolve("link"), model);
        for (Path out : List.of(model, link, folder)) {
            gptq("--out", out, "--overwrite").requireRefused(USAGE, out + " holds the model itself, which --overwrite");
        }
        Path home = Files.createDirectory(folder.resolve("home"));
        Path letter = Files.writeString(home.resolve("letter.txt"), "Dear");

        gptq("--out", home, "--overwrite").requireRefused(USAGE, home + " holds something else than a checkpoint");

        assertThat(letter).hasContent("Dear");
        assertThat(model.resolve("model.safetensors")).exists();
    }

    @Test
    void outputInAFolderThatIsNotThere() {
        TinyModel.narrow().write(model);

        gptq("--out", folder.resolve("no/such")).requireRefused(RESOURCES, "does not exist; make it first");
        gptq("--out", "/").requireRefused(USAGE, "--out / is not a name for a folder");
    }

    /** Stands for a folder that cannot be written to, which for the superuser there is none of. */
    @Test
    void fileInTheWayOfTheGrowingFolder() throws IOException {
        TinyModel.narrow().write(model);
        Path blocker = Files.writeString(folder.resolve("blocked.partial"), "a file");

        gptq("--out", folder.resolve("blocked")).requireRefused(RESOURCES, blocker + " cannot be written");

        assertThat(blocker).hasContent("a file");
        Files.delete(blocker);
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void notANumberInAWeight(float bad) {
        TinyModel.narrow()
                .change("model.layers.0.mlp.up_proj.weight", values -> with(values, 77, bad))
                .write(model);

        CommandRun.of("rtn", model, "--out", made, "--group-size", "32")
                .requireRefused(INPUT, "model.safetensors: model.layers.0.mlp.up_proj.weight", "at element 77");
    }

    private static float[] with(float[] values, int index, float value) {
        values[index] = value;
        return values;
    }

    /** The bad value is in the middle of a tensor, where the fingerprint of a model does not look. */
    @Test
    void repairedModelIsQuantizedAnew() throws IOException {
        String tensor = "model.layers.1.mlp.up_proj.weight";
        new TinyModel()
                .layers(2)
                .change(tensor, values -> with(values, 8000, Float.NaN))
                .write(model);
        Path late = folder.resolve("late");
        Object[] command = {"rtn", model, "--out", late};

        CommandRun.of(command).requireRefused(INPUT, tensor, "at element 8000");
        assertThat(late).doesNotExist();
        Files.delete(model.resolve("model.safetensors"));
        new TinyModel().layers(2).write(model);
        CommandRun run = CommandRun.of(command).requireDone();

        assertThat(run.err()).contains("starting anew: the unfinished output, with 1 layers done");
        new TinyModel().layers(2).write(folder.resolve("good"));
        CommandRun.of("rtn", folder.resolve("good"), "--out", folder.resolve("expected"))
                .requireDone();
        assertThat(new MadeCheckpoint(late).files()).isEqualTo(new MadeCheckpoint(folder.resolve("expected")).files());
    }

    @Test
    void infinityInATensorThatIsCopied() {
        TinyModel.narrow()
                .change("model.norm.weight", values -> with(values, 3, Float.POSITIVE_INFINITY))
                .write(model);

        gptq().requireRefused(INPUT, "model.norm.weight holds a NaN or an infinity at element 3", "download it again");
    }

    @Test
    void biasThatDoesNotFitItsType() {
        TinyModel.narrow()
                .dtype(DType.BF16, "bfloat16")
                .config(config -> config.put("attention_bias", true))
                .change("model.layers.0.self_attn.k_proj.bias", values -> with(values, 5, 1e6f))
                .write(model);

        gptq().requireRefused(INPUT, "model.layers.0.self_attn.k_proj.bias has the value 999424.0 at element 5", "F16");
    }

    @Test
    void activationsThatOverflow() {
        TinyModel.narrow()
                .dtype(DType.F32, "float32")
                .change("model.layers.0.post_attention_layernorm.weight", values -> scaled(values, 2e38f))
                .write(model);

        gptq().requireRefused(INPUT, "of model.layers.0.mlp.gate_proj is not a finite number", "damaged");
    }

    private static float[] scaled(float[] values, float factor) {
        for (int i = 0; i < values.length; i++) {
            values[i] *= factor;
        }
        return values;
    }

    @Test
    void linearWithoutAnyInputIsRounded() {
        TinyModel.narrow()
                .change("model.layers.0.mlp.up_proj.weight", values -> new float[values.length])
                .write(model);

        CommandRun run = CommandRun.of(
                        "gptq", model, "--group-size", "32", "--samples", "4", "--out", folder.resolve("rounded"))
                .requireDone();

        assertThat(run.out()).contains("14 quantized, 1 of them rounded to nearest");
        assertThat(run.out()).contains("note: model.layers.0.mlp.down_proj: all its inputs are zero");
    }

    @Test
    void debugShowsWhereAnErrorComesFrom() {
        CommandRun run = gptq("--debug");

        assertThat(run.code()).isEqualTo(INPUT);
        assertThat(run.err()).contains("InputException", "\tat io.gpuquant.");
        assertThat(run.lastError()).startsWith("gpuquant: " + model);
    }

    /** Fails in ways that commands do not on purpose. */
    @Command(name = "fail")
    static final class Failing implements Callable<Integer> {

        private final Throwable failure;

        Failing(Throwable failure) {
            this.failure = failure;
        }

        @Override
        public Integer call() throws Exception {
            if (failure instanceof Error error) {
                throw error;
            }
            throw (Exception) failure;
        }
    }

    @Test
    void exhaustedHeap() {
        List<Throwable> failures = List.of(
                new OutOfMemoryError("Java heap space"),
                new IllegalStateException("a matrix product failed", new OutOfMemoryError("Java heap space")));
        for (Throwable failure : failures) {
            CommandRun.of(failing(failure), "fail")
                    .requireRefused(RESOURCES, "not enough memory for the Java process", "GPUQUANT_JAVA_OPTIONS");
        }
    }

    @Test
    void faultOfTheProgramItself() {
        CommandRun run = CommandRun.of(failing(new IllegalStateException("a seam burst")), "fail");

        assertThat(run.code()).isEqualTo(1);
        assertThat(run.lastError())
                .isEqualTo(
                        "gpuquant: an unexpected fault: java.lang.IllegalStateException: a seam burst; run with --debug"
                                + " to see where, and report it");
    }

    private static CommandLine failing(Throwable failure) {
        return Main.commandLine().addSubcommand(new Failing(failure));
    }
}
