package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CalibrationSetTest {

    private static final TextFile DEMO = new TextFile(Path.of("datasets/calibration.jsonl"));

    private static TextTokenizer tokenizer;

    @TempDir
    Path folder;

    @BeforeAll
    static void open() {
        tokenizer = TextTokenizer.open(Path.of("datasets/demo-llama"), 1024);
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    /**
     * Choices and digests from a program of a few lines in Python, with the package tokenizers 0.23.3, that follows the
     * Javadoc of {@link Reservoir} and {@link SplitMix64}.
     */
    @ParameterizedTest
    @CsvSource({
        "2048, 128, 0, 68, 68, 138953, e6cf884483a251fb6de3140339e717288dd7af4ba6274fc6f7328dea74d3388e",
        "2048, 1000, 9, 68, 68, 138953, e6cf884483a251fb6de3140339e717288dd7af4ba6274fc6f7328dea74d3388e",
        "256, 128, 0, 543, 128, 32768, 1ef6ae9ec95ee8d8bebf12462ba567cc12a73a0d2299945303758eb5b0a1f395",
        "256, 32, 7, 543, 32, 8192, 63c9e908d934c18c8796b11e10bc8cf47eb1a1564550aadb49d18281862fcd89",
        "512, 10, -1, 272, 10, 5120, 649faef665b2c62374ba6ef7fef6751d75da07b560d01f9ebcf390fd1a94e7da",
    })
    void choosesTheSequencesThatItsDescriptionSays(
            int length, int samples, long seed, long available, int used, long covered, String sha256) {
        CalibrationSet set = CalibrationSet.read(DEMO, tokenizer, new CalibrationOptions(length, samples, seed));

        CalibrationReport report = set.report();
        assertThat(report.file()).isEqualTo(DEMO.path());
        assertThat(report.textField()).isEqualTo("text");
        assertThat(report.documents()).isEqualTo(512);
        assertThat(report.tokens()).isEqualTo(138_953);
        assertThat(report.sequenceLength()).isEqualTo(length);
        assertThat(report.sequencesAvailable()).isEqualTo(available);
        assertThat(report.sequencesUsed()).isEqualTo(used);
        assertThat(report.seed()).isEqualTo(seed);
        assertThat(report.sha256()).isEqualTo(sha256);
        assertThat(report.coverage()).isEqualTo(covered / 138_953.0);
        assertThat(set.sequences().count()).isEqualTo(used);
        assertThat(set.sequences().length()).isEqualTo(length);
        assertThat(set.sequences().tokens()).isEqualTo((long) used * length);
    }

    @Test
    void losesNoTextWhenAllSequencesAreUsed() throws IOException {
        // Each document is the token 0 and one digit: 0 d 0 d …, 22 tokens in all.
        TextFile file = digits(11);

        CalibrationSet set = CalibrationSet.read(file, tokenizer, new CalibrationOptions(8, 99, 0));

        assertThat(rows(set))
                .containsExactly(
                        List.of(0, 50, 0, 51, 0, 52, 0, 53),
                        List.of(0, 54, 0, 55, 0, 56, 0, 57),
                        List.of(0, 57, 0, 58, 0, 59, 0, 50));
        assertThat(set.report().coverage()).isEqualTo(1);
        assertThat(set.report().sequencesAvailable()).isEqualTo(3);
    }

    @Test
    void countsTokensThatTwoSequencesShareOnce() throws IOException {
        TextFile file = digits(11);
        List<Double> coverages = new ArrayList<>();

        for (long seed = 0; seed < 30; seed++) {
            CalibrationSet set = CalibrationSet.read(file, tokenizer, new CalibrationOptions(8, 2, seed));
            boolean first = rows(set).contains(List.of(0, 50, 0, 51, 0, 52, 0, 53));
            assertThat(set.report().coverage()).isCloseTo(first ? 16 / 22.0 : 14 / 22.0, within(1e-12));
            coverages.add(set.report().coverage());
        }

        assertThat(coverages).contains(16 / 22.0, 14 / 22.0);
    }

    @Test
    void keepsStreamOrder() throws IOException {
        TextFile file = digits(10);

        for (long seed = 0; seed < 20; seed++) {
            List<List<Integer>> rows = rows(CalibrationSet.read(file, tokenizer, new CalibrationOptions(2, 4, seed)));
            assertThat(rows).isSortedAccordingTo((a, b) -> Integer.compare(a.getLast(), b.getLast()));
        }
    }

    @Test
    void makesTheSameChoiceAgain() {
        CalibrationOptions options = new CalibrationOptions(64, 50, 3);

        assertThat(CalibrationSet.read(DEMO, tokenizer, options).report())
                .isEqualTo(CalibrationSet.read(DEMO, tokenizer, options).report());
        assertThat(CalibrationSet.read(DEMO, tokenizer, new CalibrationOptions(64, 50, 4))
                        .report()
                        .sha256())
                .isNotEqualTo(
                        CalibrationSet.read(DEMO, tokenizer, options).report().sha256());
    }

    @Test
    void saysHowManyTokensATextTooShortHas() throws IOException {
        TextFile file = digits(3);

        assertThatThrownBy(() -> CalibrationSet.read(file, tokenizer, new CalibrationOptions(7, 1, 0)))
                .isInstanceOf(InputException.class)
                .hasMessage(file.path() + " has 6 tokens, fewer than one sequence of 7; lower --sequence-length or give"
                        + " more text");
        assertThat(CalibrationSet.read(file, tokenizer, new CalibrationOptions(6, 1, 0))
                        .report()
                        .sequencesAvailable())
                .isEqualTo(1);
    }

    @Test
    void refusesSequencesOfOtherLengths() {
        assertThatThrownBy(() -> new TokenSequences(3, List.of(new int[3], new int[2])))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void refusesOptionsThatGiveNothing() {
        assertThatThrownBy(() -> new CalibrationOptions(0, 1, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new CalibrationOptions(1, 0, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    /** Documents 0, 1, … of one digit each, which become the tokens 0 and 50 + digit. */
    private TextFile digits(int count) throws IOException {
        List<String> lines = IntStream.range(0, count)
                .mapToObj(i -> "{\"text\": \"" + i % 10 + "\"}")
                .toList();
        return new TextFile(Files.write(folder.resolve("digits.jsonl"), lines));
    }

    private static List<List<Integer>> rows(CalibrationSet set) {
        return IntStream.range(0, set.sequences().count())
                .mapToObj(i -> IntStream.of(set.sequences().sequence(i)).boxed().toList())
                .toList();
    }
}
