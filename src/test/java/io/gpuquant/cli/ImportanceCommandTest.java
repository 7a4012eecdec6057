package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.job.TinyModel;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImportanceCommandTest {

    private static final int USAGE = 2;
    private static final int INPUT = 3;
    private static final Path DEMO = Path.of("datasets/demo-llama");
    private static final Path TEXT = Path.of("datasets/calibration.jsonl");

    @TempDir
    Path folder;

    private static ImportanceMatrix golden() throws URISyntaxException {
        return ImportanceMatrix.read(Path.of(
                Objects.requireNonNull(ImportanceCommandTest.class.getResource("/goldens/gguf/demo-llama.imatrix.gguf"))
                        .toURI()));
    }

    /**
     * llama.cpp ran the same 32 pieces of the same text. It rounds activations to half precision before it multiplies them by
     * the weights, so only what enters the first layer is the same to the rounding of sums; the rest is close.
     */
    @Test
    void measuresWhatLlamaCppMeasures() throws URISyntaxException {
        Path made = folder.resolve("demo.gguf");

        CommandRun.of(
                        "imatrix",
                        DEMO,
                        "--calibration",
                        TEXT,
                        "--chunk-size",
                        256,
                        "--chunks",
                        32,
                        "--out",
                        made,
                        "--device",
                        "host")
                .requireDone();

        ImportanceMatrix matrix = ImportanceMatrix.read(made);
        assertThat(matrix.origin().chunks()).isEqualTo(32);
        assertThat(matrix.origin().chunkSize()).isEqualTo(256);
        assertThat(matrix.entries())
                .extracting(ImportanceMatrix.Entry::name)
                .containsExactlyElementsOf(golden().entries().stream()
                        .map(ImportanceMatrix.Entry::name)
                        .toList());
        for (ImportanceMatrix.Entry expected : golden().entries()) {
            ImportanceMatrix.Entry entry = matrix.find(expected.name()).orElseThrow();
            assertThat(entry.counts()).containsExactly(expected.counts());
            boolean first = expected.name().matches("blk\\.0\\.attn_[qkv]\\.weight");
            double worst = 0;
            double total = 0;
            double difference = 0;
            for (int i = 0; i < expected.columns(); i++) {
                double sum = expected.sums()[i];
                worst = Math.max(worst, Math.abs(entry.sums()[i] - sum) / sum);
                difference += Math.abs(entry.sums()[i] - sum);
                total += sum;
            }
            assertThat(difference / total).as(expected.name()).isLessThan(first ? 2e-5 : 2e-3);
            assertThat(worst).as(expected.name()).isLessThan(first ? 5e-5 : 2e-2);
        }
    }

    @Test
    void measuresTheOutputHeadWhereItIsAsked() {
        Path made = folder.resolve("demo.gguf");

        CommandRun run = CommandRun.of(
                "imatrix",
                DEMO,
                "--chunk-size",
                32,
                "--chunks",
                2,
                "--process-output",
                "--out",
                made,
                "--device",
                "host",
                "--json");

        run.requireDone();
        ImportanceMatrix.Entry head =
                ImportanceMatrix.read(made).find("output.weight").orElseThrow();
        assertThat(head.columns()).isEqualTo(256);
        assertThat(head.counts()).containsExactly(64);
        assertThat(run.out()).contains("\"weights\" : 29").contains("\"unseen\" : [ ]");
    }

    /** The text is one sequence: those of more than one are cut otherwise for calibration than for llama.cpp. */
    @Test
    void isMadeByQuantizersOnTheirWay() throws Exception {
        Path model = TinyModel.narrow().write(folder.resolve("model"));
        Path text = Files.writeString(folder.resolve("text.txt"), textOf(32));
        Path alone = folder.resolve("alone.gguf");
        CommandRun.of("imatrix", model, "--calibration", text, "--chunk-size", 32, "--out", alone, "--device", "host")
                .requireDone();

        CommandRun awq = quantize("awq", model, text, "--no-propagate").requireDone();
        CommandRun gptq = quantize("gptq", model, text, "--json").requireDone();

        assertThat(folder.resolve("awq.gguf")).hasSameBinaryContentAs(alone);
        assertThat(awq.out())
                .containsPattern(
                        "(?m)^importance +" + folder.resolve("awq.gguf") + ": 14 weights, 1 piece of 32 tokens$");
        assertThat(gptq.json().path("importance").toString())
                .isEqualTo("{\"output\":\"" + folder.resolve("gptq.gguf")
                        + "\",\"weights\":14,\"chunks\":1,\"chunk_size\":32,\"unseen\":[]}");
        CommandRun made = CommandRun.of(
                "gguf",
                model,
                "--type",
                "Q4_0",
                "--imatrix",
                folder.resolve("gptq.gguf"),
                "--dry-run",
                "--device",
                "host");
        assertThat(made.requireDone().out() + made.err()).doesNotContain("importance matrix has nothing for");
    }

    private CommandRun quantize(String method, Path model, Path text, String more) {
        return CommandRun.of(
                method,
                model,
                "--out",
                folder.resolve(method),
                "--calibration",
                text,
                "--sequence-length",
                32,
                "--group-size",
                32,
                "--also-imatrix",
                folder.resolve(method + ".gguf"),
                "--device",
                "host",
                more);
    }

    /** A text of as many tokens, the one at its beginning included. */
    private static String textOf(int tokens) {
        try (TextTokenizer tokenizer = TextTokenizer.open(DEMO, 1024)) {
            StringBuilder text = new StringBuilder("The");
            while (tokenizer.encode(text.toString()).length < tokens) {
                text.append(" a");
            }
            assertThat(tokenizer.encode(text.toString())).hasSize(tokens);
            return text.toString();
        }
    }

    @Test
    void refusesWhatCannotBeMeasured() throws Exception {
        Path tooShort = Files.writeString(folder.resolve("short.txt"), "too short");
        refuse(INPUT, "fewer than one sequence of 512", "--calibration", tooShort);
        refuse(USAGE, "--chunk-size 4096 is more than the 2048 tokens", "--chunk-size", 4096);
        refuse(USAGE, "--chunk-size 1 make no text", "--chunk-size", 1);
        refuse(USAGE, "is not the name of a file", "--out", folder);
        refuse(USAGE, "is not the name of a file", "--out", folder.resolve("nowhere/x.gguf"));
    }

    private static void refuse(int code, String message, Object... options) {
        Object[] all = new Object[options.length + 4];
        all[0] = "imatrix";
        all[1] = DEMO;
        all[2] = "--device";
        all[3] = "host";
        System.arraycopy(options, 0, all, 4, options.length);
        CommandRun.of(all).requireRefused(code, message);
    }
}
