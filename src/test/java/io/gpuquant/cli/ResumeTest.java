package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that is killed at any moment goes on where it was, and makes the bytes it would have made. */
class ResumeTest {

    private static final int LAYERS = 4;

    /** Layers that {@link #interrupted} has at least. */
    private static final int DONE = 2;

    /** The model, its text, the output of a run that nobody disturbed, and the folder of one that was killed. */
    @TempDir
    static Path shared;

    private static Path model = Path.of("");
    private static Path text = Path.of("");
    private static Map<String, String> undisturbed = Map.of();
    private static Path interrupted = Path.of("");

    @TempDir
    Path folder;

    private Path made = Path.of("");
    private Path partial = Path.of("");

    @BeforeAll
    static void runOnceAndKillOnce() throws Exception {
        model = TinyModel.narrow().layers(LAYERS).write(shared.resolve("model"));
        text = TinyModel.writeText(shared.resolve("text.jsonl"));
        Path expected = shared.resolve("expected");
        CommandRun.of(command(expected)).requireDone();
        undisturbed = new MadeCheckpoint(expected).files();
        interrupted = shared.resolve("killed.partial");
        Path killed = shared.resolve("killed");
        killWhen(() -> journalLines(interrupted) > DONE, killed, command(killed));
        assertThat(journalLines(interrupted)).isGreaterThan(DONE);
    }

    @BeforeEach
    void nameFolders() {
        made = folder.resolve("made");
        partial = folder.resolve("made.partial");
    }

    /** Puts the folder of the killed run in place; returns how many layers it has. */
    private int restoreInterrupted() throws IOException {
        Files.createDirectory(partial);
        try (Stream<Path> files = Files.list(interrupted)) {
            for (Path file : files.toList()) {
                Files.copy(file, partial.resolve(file.getFileName()));
            }
        }
        return journalLines(partial) - 1;
    }

    private static Object[] command(Path out, Object... more) {
        Object[] command = {
            "gptq",
            model,
            "--out",
            out,
            "--calibration",
            text,
            "--group-size",
            "32",
            "--samples",
            "8",
            "--device",
            "host",
            "--json"
        };
        Object[] all = Arrays.copyOf(command, command.length + more.length);
        System.arraycopy(more, 0, all, command.length, more.length);
        return all;
    }

    private ChildRun start() throws IOException {
        return ChildRun.start(folder, command(made));
    }

    /** Lines of the journal: one for the run, and one per layer. */
    private static int journalLines(Path growing) {
        try {
            Path journal = growing.resolve(".journal");
            return Files.exists(journal)
                    ? (int) Files.readString(journal)
                            .chars()
                            .filter(c -> c == '\n')
                            .count()
                    : 0;
        } catch (IOException gone) {
            return 0;
        }
    }

    private void killWhen(BooleanSupplier condition) throws Exception {
        killWhen(condition, made, command(made));
    }

    /** Starts a command and kills it; once more if it was done before, because this process had to wait for its turn. */
    private static void killWhen(BooleanSupplier condition, Path output, Object[] command) throws Exception {
        for (int attempt = 0; attempt < 5; attempt++) {
            try (ChildRun child = ChildRun.start(shared, command)) {
                child.waitUntil(condition).kill();
            }
            if (!Files.exists(output)) {
                return;
            }
            try (Stream<Path> files = Files.list(output)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(output);
        }
        throw new AssertionError("the command is always done before it can be killed");
    }

    private JsonNode runToTheEnd() {
        JsonNode json = CommandRun.of(command(made)).requireDone().json();
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(undisturbed);
        assertThat(partial).doesNotExist();
        return json;
    }

    @Test
    void goesOnAfterTheLayersInTheJournal() throws Exception {
        int done = restoreInterrupted();

        CommandRun run = CommandRun.of(command(made)).requireDone();

        assertThat(run.json().path("resumed_layers").asInt()).isEqualTo(done);
        assertThat(run.json().path("linears")).hasSize(7 * LAYERS);
        assertThat(run.err()).contains("resuming: " + done + " layers are done already");
        assertThat(run.err().lines().filter(line -> line.contains("passed through")))
                .hasSize(done);
        assertThat(run.err().lines().filter(line -> line.contains("relative error")))
                .hasSize(LAYERS - done);
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(undisturbed);
    }

    @Test
    void isKilledAgainAndAgain() throws Exception {
        killWhen(() -> journalLines(partial) > 0);
        killWhen(() -> journalLines(partial) > 1);
        killWhen(() -> journalLines(partial) > LAYERS - 1);

        assertThat(runToTheEnd().path("resumed_layers").asInt()).isGreaterThanOrEqualTo(LAYERS - 1);
    }

    /** The files have their final length from the start; what grows is the content. */
    @Test
    void isKilledAtARandomMomentWhileTensorsAreWritten() throws Exception {
        long moment = new Random(7).nextInt(300);
        long[] begin = new long[1];
        killWhen(() -> {
            if (!Files.exists(partial.resolve(".journal"))) {
                begin[0] = System.nanoTime();
            }
            return System.nanoTime() - begin[0] > moment * 1_000_000;
        });

        runToTheEnd();
    }

    @Test
    void isKilledWhileTheFilesAreLaidOut() throws Exception {
        killWhen(() -> Files.exists(partial));
        assertThat(runToTheEnd().path("resumed_layers").asInt()).isLessThan(LAYERS);
    }

    @Test
    void isKilledWhenAllButTheNameIsDone() throws Exception {
        killWhen(() -> Files.exists(partial.resolve("tokenizer_config.json")));

        assertThat(runToTheEnd().path("resumed_layers").asInt()).isEqualTo(LAYERS);
    }

    @Test
    void lineThatACrashCutOffDoesNotCount() throws Exception {
        int done = restoreInterrupted();
        Path journal = partial.resolve(".journal");
        String lines = Files.readString(journal);
        Files.writeString(journal, lines.substring(0, lines.length() - 20));

        assertThat(runToTheEnd().path("resumed_layers").asInt()).isEqualTo(done - 1);
    }

    @Test
    void damagedJournalIsNotTrusted() throws Exception {
        restoreInterrupted();
        Path journal = partial.resolve(".journal");
        String[] lines = Files.readString(journal).split("\n", -1);
        // What is left begins with a word in quotes, which is JSON of a kind.
        lines[1] = lines[1].substring(lines[1].indexOf("\"name\""));
        Files.writeString(journal, String.join("\n", lines));

        assertThat(runToTheEnd().path("resumed_layers").asInt()).isZero();
    }

    /** What a layer's journal line vouches for was synced before; a disk that lies is found out when all is read back. */
    @Test
    void tensorThatChangedSinceIsFoundOut() throws Exception {
        restoreInterrupted();
        Path shard = partial.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(shard);
        String codes = new MadeCheckpoint(shared.resolve("expected")).content("model.layers.0.mlp.down_proj.qweight");
        byte[] needle = HexFormat.of().parseHex(codes.substring(codes.indexOf(']') + 1));
        bytes[indexOf(bytes, needle) + 5] ^= 0x10;
        Files.write(shard, bytes);

        CommandRun run = CommandRun.of(command(made));

        run.requireRefused(
                5, "model.layers.0.mlp.down_proj.qweight, bytes", "is not what was written", "delete " + partial);
        assertThat(made).doesNotExist();
    }

    private static int indexOf(byte[] bytes, byte[] needle) {
        int index =
                new String(bytes, StandardCharsets.ISO_8859_1).indexOf(new String(needle, StandardCharsets.ISO_8859_1));
        assertThat(index).isPositive();
        return index;
    }

    @Test
    void anotherOptionStartsAnew() throws Exception {
        int lost = restoreInterrupted();

        CommandRun run = CommandRun.of(command(made, "--mse")).requireDone();

        assertThat(run.err()).contains("starting anew: the unfinished output, with " + lost + " layers done");
        assertThat(run.json().path("resumed_layers").asInt()).isZero();
        assertThat(new MadeCheckpoint(made).files()).isNotEqualTo(undisturbed);
    }

    @Test
    void anotherTextStartsAnew() throws Exception {
        Path copy = folder.resolve("text.jsonl");
        Files.writeString(copy, Files.readString(text) + "{\"text\": \"One more line.\", \"title\": \"New\"}\n");
        restoreInterrupted();

        Object[] changed = command(made);
        changed[5] = copy;
        JsonNode json = CommandRun.of(changed).requireDone().json();

        assertThat(json.path("resumed_layers").asInt()).isZero();
    }

    @Test
    void theSameTextUnderAnotherNameIsTheSameText() throws Exception {
        Path copy = Files.copy(text, folder.resolve("copy.jsonl"));
        int done = restoreInterrupted();

        Object[] renamed = command(made);
        renamed[5] = copy;
        JsonNode json = CommandRun.of(renamed).requireDone().json();

        assertThat(json.path("resumed_layers").asInt()).isEqualTo(done);
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(undisturbed);
    }

    @Test
    void rtnResumesToo() throws Exception {
        Object[] rtn = {"rtn", model, "--out", made, "--group-size", "32", "--device", "host", "--json"};
        killWhen(() -> journalLines(partial) > 1, made, rtn);
        int done = journalLines(partial) - 1;

        JsonNode json = CommandRun.of(rtn).requireDone().json();

        assertThat(json.path("resumed_layers").asInt()).isEqualTo(done);
        rtn[3] = folder.resolve("expected");
        CommandRun.of(rtn).requireDone();
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(new MadeCheckpoint(folder.resolve("expected")).files());
    }

    @Test
    void compressedTensorsResumesToo() throws Exception {
        Object[] format = {"--format", "compressed-tensors", "--no-sym", "--bits", "3"};
        killWhen(() -> journalLines(partial) > 1, made, command(made, format));

        JsonNode json = CommandRun.of(command(made, format)).requireDone().json();

        assertThat(json.path("resumed_layers").asInt()).isPositive();
        CommandRun.of(command(folder.resolve("expected"), format)).requireDone();
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(new MadeCheckpoint(folder.resolve("expected")).files());
    }

    @Test
    void secondProcessOnTheSameOutputIsRefused() throws Exception {
        try (ChildRun first = start()) {
            first.waitUntil(() -> journalLines(partial) > 0).signal("STOP");

            CommandRun second = CommandRun.of(command(made));
            first.signal("CONT");

            second.requireRefused(4, partial + " is being written by another run of gpuquant", "--out");
            assertThat(first.json().path("resumed_layers").asInt()).isZero();
        }
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(undisturbed);
    }

    /** To a program a disk that is full is a file that may not grow. Rounding takes no library that must be unpacked first. */
    @Test
    void fullDiskIsSaidAndLeavesNothing() throws Exception {
        String[] limited = {"/bin/sh", "-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\""};
        Object[] rtn = {"rtn", model, "--out", made, "--group-size", "32", "--device", "host", "--quiet"};
        CommandRun run;
        try (ChildRun child = ChildRun.start(folder, List.of(limited), rtn)) {
            run = child.end();
        }

        run.requireRefused(
                4,
                partial.resolve("model.safetensors") + " cannot be written (File too large)",
                "choose a disk that takes files of this size");
        assertThat(made).doesNotExist();
        assertThat(partial).doesNotExist();
    }
}
