package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.UsageException;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.CalibrationSet;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.evaluate.OpenModel;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.gguf.ImportanceMatrix.Entry;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.RandomModel;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** An importance matrix of the pass that calibrates a quantizer. */
class SharedImportanceTest {

    private static final int SEQUENCES = 5;
    private static final int LENGTH = 24;
    private static final List<String> TOKENIZER =
            List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json");

    @TempDir
    static Path shared;

    private static TextFile text = TextFile.builtIn();

    @TempDir
    Path folder;

    private enum Model {
        DENSE,
        EXPERTS;

        Path path() {
            return shared.resolve(name());
        }
    }

    private enum Method {
        GPTQ,
        AWQ,
        AWQ_OF_THE_ORIGINAL;

        QuantizationJobOptions options(Path model, Path output, @Nullable Path importance) {
            QuantizationJobOptions.Calibration calibration = new QuantizationJobOptions.Calibration(
                    text, new CalibrationOptions(LENGTH, SEQUENCES, 0), importance);
            QuantizationJobOptions.MethodOptions method = this == GPTQ
                    ? new QuantizationJobOptions.Gptq(false, false, true, 0.05, false, calibration)
                    : new QuantizationJobOptions.Awq(
                            QuantizationJobOptions.Objective.MODULE, 2, false, false, this == AWQ, calibration);
            return new QuantizationJobOptions(
                    model, output, false, method, 4, 32, this == GPTQ, this == GPTQ ? GptqVersion.V1 : AwqVersion.GEMM);
        }
    }

    @BeforeAll
    static void make() throws IOException {
        text = new TextFile(TinyModel.writeText(shared.resolve("text.jsonl")), "text");
        TinyModel.narrow().write(Model.DENSE.path());
        Path experts = RandomModel.of(RandomModel.config("""
                                {"model_type": "mixtral", "hidden_size": 64, "intermediate_size": 64,
                                 "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 1024,
                                 "max_position_embeddings": 32, "bos_token_id": 0, "torch_dtype": "float16",
                                 "num_hidden_layers": 2, "num_local_experts": 5, "num_experts_per_tok": 2}"""), DType.F16, 1)
                .write(Files.createDirectories(Model.EXPERTS.path()));
        for (String file : TOKENIZER) {
            Files.copy(Model.DENSE.path().resolve(file), experts.resolve(file));
        }
    }

    /** What it holds is what its plan says. */
    private JobResult run(Method method, Model model, String output, String importance) {
        List<MemoryPlan> plans = new ArrayList<>();
        JobResult result = run(method, model, output, importance, 1, new JobListener() {
            @Override
            public void forecast(MemoryPlan memory) {
                plans.add(memory);
            }
        });
        assertThat(result.peakDeviceBytes()).isLessThanOrEqualTo(plans.getLast().peakBytes());
        return result;
    }

    /** @param importance the name of the file; none is made for an empty one */
    private JobResult run(
            Method method, Model model, String output, String importance, int devices, JobListener listener) {
        Path file = importance.isEmpty() ? null : folder.resolve(importance);
        Supplier<List<Device>> hosts =
                () -> Stream.generate(() -> (Device) HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1)))
                        .limit(devices)
                        .toList();
        return QuantizationJob.onSeveral(method.options(model.path(), folder.resolve(output), file), hosts, listener)
                .run();
    }

    private ImportanceMatrix matrix(String file) {
        return ImportanceMatrix.read(folder.resolve(file));
    }

    private static void assertSame(List<Entry> actual, List<Entry> expected) {
        assertThat(actual).extracting(Entry::name).containsExactlyElementsOf(names(expected));
        for (int i = 0; i < expected.size(); i++) {
            assertThat(actual.get(i).sums())
                    .as(expected.get(i).name())
                    .containsExactly(expected.get(i).sums());
            assertThat(actual.get(i).counts())
                    .as(expected.get(i).name())
                    .containsExactly(expected.get(i).counts());
        }
    }

    private static List<String> names(List<Entry> entries) {
        return entries.stream().map(Entry::name).toList();
    }

    /** What a model whose weights stay as they are shows of the calibration sequences. */
    private static List<Entry> seenIn(Path folder, Model tokenizer) {
        ModelConfig config = ModelConfig.read(folder);
        try (OpenModel model = OpenModel.open(folder);
                TextTokenizer tokens = TextTokenizer.open(tokenizer.path(), config.vocabSize());
                Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2))) {
            TokenSequences sequences = CalibrationSet.read(text, tokens, new CalibrationOptions(LENGTH, SEQUENCES, 0))
                    .sequences();
            List<Entry> entries = new ArrayList<>();
            try (OriginalPass pass = new OriginalPass(device, model.structure(), model.weights(device), sequences);
                    ImportanceWatch watch = new ImportanceWatch(device, config)) {
                for (DecoderLayer layer : model.structure().layers()) {
                    pass.observe(layer, watch);
                    entries.addAll(watch.takeEntries(layer.stages()));
                }
            }
            return new ImportanceMatrix(new ImportanceMatrix.Origin(List.of(), 0, 0), entries).entries();
        }
    }

    @ParameterizedTest
    @EnumSource
    void isThatOfTheOriginalModelWhereNothingIsPropagated(Model model) {
        JobResult result = run(Method.AWQ_OF_THE_ORIGINAL, model, "out", "seen.gguf");

        ImportanceMatrix made = matrix("seen.gguf");
        assertSame(made.entries(), seenIn(model.path(), model));
        assertThat(made.origin()).isEqualTo(new ImportanceMatrix.Origin(List.of("text.jsonl"), SEQUENCES, LENGTH));
        assertThat(result.importance()).isNotNull();
    }

    /** Each stage sees what the quantized stages before it give, and they are all in the output. */
    @ParameterizedTest
    @EnumSource
    void isThatOfTheQuantizedModelForGptq(Model model) {
        JobResult result = run(Method.GPTQ, model, "out", "seen.gguf");

        assertSame(matrix("seen.gguf").entries(), seenIn(result.output(), model));
        assertThat(matrix("seen.gguf").unseen()).isEmpty();
    }

    /** The inputs of a layer come of quantized layers, but what it makes of them itself is the original's. */
    @Test
    void isInBetweenForAwqThatPropagates() {
        run(Method.AWQ, Model.DENSE, "out", "seen.gguf");

        List<Entry> original = seenIn(Model.DENSE.path(), Model.DENSE);
        List<Entry> made = matrix("seen.gguf").entries();
        assertSame(ofLayer(0, made), ofLayer(0, original));
        List<Entry> second = ofLayer(1, made);
        for (int i = 0; i < second.size(); i++) {
            float[] sums = ofLayer(1, original).get(i).sums();
            assertThat(second.get(i).sums()).isNotEqualTo(sums);
            double difference = 0;
            double all = 0;
            for (int j = 0; j < sums.length; j++) {
                difference += Math.abs(second.get(i).sums()[j] - sums[j]);
                all += sums[j];
            }
            assertThat(difference / all).as(second.get(i).name()).isLessThan(0.1);
        }
    }

    private static List<Entry> ofLayer(int layer, List<Entry> entries) {
        return entries.stream()
                .filter(entry -> entry.name().startsWith("blk." + layer + "."))
                .toList();
    }

    /** The run that was interrupted did not know that it would be wanted. */
    @ParameterizedTest
    @CsvSource({
        "GPTQ, DENSE",
        "AWQ, DENSE",
        "AWQ_OF_THE_ORIGINAL, DENSE",
        "GPTQ, EXPERTS",
        "AWQ, EXPERTS",
    })
    void isTheSameAfterARunWasInterrupted(Method method, Model model) throws IOException {
        run(method, model, "whole", "whole.gguf");

        assertThatThrownBy(() -> run(method, model, "out", "", 1, new Failing(1, false)))
                .hasMessage("enough");
        JobResult result = run(method, model, "out", "seen.gguf");

        assertThat(result.resumedLayers()).isEqualTo(1);
        assertSameFiles();
    }

    @Test
    void isTheSameAfterARunWasInterruptedWhenAllLayersWereDone() throws IOException {
        run(Method.GPTQ, Model.DENSE, "whole", "whole.gguf");

        assertThatThrownBy(() -> run(Method.GPTQ, Model.DENSE, "out", "seen.gguf", 1, new Failing(99, true)))
                .hasMessage("enough");
        assertThat(folder.resolve("seen.gguf")).doesNotExist();
        JobResult result = run(Method.GPTQ, Model.DENSE, "out", "seen.gguf");

        assertThat(result.resumedLayers()).isEqualTo(2);
        assertSameFiles();
    }

    private void assertSameFiles() throws IOException {
        assertThat(Files.readAllBytes(folder.resolve("seen.gguf")))
                .isEqualTo(Files.readAllBytes(folder.resolve("whole.gguf")));
        assertThat(new MadeCheckpoint(folder.resolve("out")).files())
                .isEqualTo(new MadeCheckpoint(folder.resolve("whole")).files());
    }

    /**
     * Ends a run.
     *
     * @param layers when so many are done
     * @param last or when all that is left is to read them back
     */
    private record Failing(int layers, boolean last) implements JobListener {

        @Override
        public void layerDone(int done, int total) {
            if (done == layers) {
                throw new IllegalStateException("enough");
            }
        }

        @Override
        public void verifying() {
            if (last) {
                throw new IllegalStateException("enough");
            }
        }
    }

    @Test
    void isTheSumOfWhatSeveralDevicesSaw() throws IOException {
        run(Method.GPTQ, Model.DENSE, "alone", "alone.gguf");
        run(Method.GPTQ, Model.DENSE, "whole", "whole.gguf", 3, new JobListener() {});

        List<Entry> alone = matrix("alone.gguf").entries();
        List<Entry> together = matrix("whole.gguf").entries();
        assertThat(together).extracting(Entry::name).isEqualTo(names(alone));
        for (int i = 0; i < alone.size(); i++) {
            assertThat(together.get(i).counts()).containsExactly(alone.get(i).counts());
            // Only what enters the first layer does not depend on codes that other sums have led to.
            boolean first = alone.get(i).name().matches("blk\\.0\\.attn_[qkv]\\.weight");
            for (int j = 0; j < alone.get(i).columns(); j++) {
                assertThat((double) together.get(i).sums()[j] / alone.get(i).sums()[j])
                        .as(alone.get(i).name())
                        .isBetween(first ? 1 - 1e-6 : 0.8, first ? 1 + 1e-6 : 1.25);
            }
        }

        assertThatThrownBy(() -> run(Method.GPTQ, Model.DENSE, "out", "seen.gguf", 3, new Failing(1, false)))
                .hasMessage("enough");
        run(Method.GPTQ, Model.DENSE, "out", "seen.gguf", 3, new JobListener() {});
        assertSameFiles();
    }

    /** AWQ shows what enters a layer as it was, so that nothing in the first one depends on what was rounded. */
    @Test
    void isTheSumForExpertsToo() {
        run(Method.AWQ, Model.EXPERTS, "alone", "alone.gguf");
        run(Method.AWQ, Model.EXPERTS, "whole", "whole.gguf", 2, new JobListener() {});

        List<Entry> alone = matrix("alone.gguf").entries();
        List<Entry> together = matrix("whole.gguf").entries();
        assertThat(together).extracting(Entry::name).isEqualTo(names(alone));
        for (int i = 0; i < alone.size(); i++) {
            if (alone.get(i).name().startsWith("blk.0.")) {
                assertThat(together.get(i).counts())
                        .containsExactly(alone.get(i).counts());
                assertThat(together.get(i).sums())
                        .as(alone.get(i).name())
                        .usingComparatorWithPrecision(1e-5f * max(alone.get(i).sums()))
                        .containsExactly(alone.get(i).sums());
            }
        }
    }

    private static float max(float[] values) {
        float most = 0;
        for (float value : values) {
            most = Math.max(most, value);
        }
        return most;
    }

    /** The sums of a layer are 64 rows of float32 for each of its stages, and the plan has them in its books. */
    @ParameterizedTest
    @CsvSource({"GPTQ, DENSE, 4", "AWQ, DENSE, 4", "GPTQ, EXPERTS, 12", "AWQ, EXPERTS, 12"})
    void isCountedByTheMemoryPlan(Method method, Model model, int stages) {
        Path output = folder.resolve("out");
        long without = planned(method.options(model.path(), output, null));
        long with = planned(method.options(model.path(), output, folder.resolve("seen.gguf")));

        assertThat(with - without).isBetween(64L * 64 * Float.BYTES, stages * 64L * 64 * Float.BYTES);
    }

    private static long planned(QuantizationJobOptions options) {
        try (Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1))) {
            return Forecast.inRooms(options, List.of(Room.of(device))).widest().peakBytes();
        }
    }

    @Test
    void takesThePlaceOfAFileThatIsThere() throws IOException {
        Files.writeString(folder.resolve("seen.gguf"), "something else");
        run(Method.GPTQ, Model.DENSE, "out", "seen.gguf");

        assertThat(matrix("seen.gguf").entries()).hasSize(14);
    }

    @Test
    void goesWhereItStays() throws IOException {
        Files.createDirectories(folder.resolve("out.partial"));
        refuse("nowhere/seen.gguf", "is not the name of a file in a folder that exists");
        refuse(".", "is not the name of a file in a folder that exists");
        refuse("out.partial/seen.gguf", "is in the folder that is made; give a place outside of");
        Files.createDirectories(folder.resolve("out"));
        refuse("out/seen.gguf", "is in the folder that is made; give a place outside of");
    }

    private void refuse(String importance, String message) {
        assertThatThrownBy(() -> run(Method.GPTQ, Model.DENSE, "out", importance))
                .isInstanceOf(UsageException.class)
                .hasMessageStartingWith("--also-imatrix " + folder.resolve(importance))
                .hasMessageContaining(message);
    }
}
