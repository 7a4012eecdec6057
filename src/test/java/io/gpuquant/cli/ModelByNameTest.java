package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.hub.FakeHub;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands that are given a model by its name, in processes of their own because names depend on the environment. */
class ModelByNameTest {

    private static final Path DEMO = Path.of("datasets/demo-llama");

    @TempDir
    Path folder;

    private FakeHub hub;

    @BeforeEach
    void start() throws IOException {
        hub = new FakeHub("org/demo");
        try (Stream<Path> files = Files.list(DEMO)) {
            for (Path file : files.toList()) {
                hub.put(file.getFileName().toString(), Files.readAllBytes(file));
            }
        }
        Files.createDirectories(folder.resolve("work"));
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    @Test
    void quantizesAModelOfTheHubIntoTheCurrentFolder() throws Exception {
        JsonNode result = run("rtn", "org/demo", "--json", "--quiet").json();

        Path output = folder.resolve("work/demo-rtn-4bit-g128");
        assertThat(Path.of(result.path("output").asText())).isEqualTo(output.toRealPath());
        Path snapshot = folder.resolve("home/hub/models--org--demo/snapshots").resolve(FakeHub.COMMIT);
        assertThat(Files.isSymbolicLink(snapshot.resolve("model.safetensors"))).isTrue();
        try (Stream<Path> files = Files.list(output)) {
            assertThat(files).isNotEmpty().allMatch(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS));
        }
        assertThat(output.resolve("tokenizer.json")).hasSameBinaryContentAs(DEMO.resolve("tokenizer.json"));

        // The same snapshot by its path gives the same file name, and the same bytes as the folder that was published.
        CommandRun again = run("rtn", snapshot, "--overwrite", "--quiet").end().requireDone();
        assertThat(again.out()).contains("work/demo-rtn-4bit-g128");
        CommandRun.of("rtn", DEMO, "--out", folder.resolve("direct"), "--quiet").requireDone();
        assertThat(output.resolve("model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("direct/model.safetensors"));
        CommandRun.of("verify", output, "--source", snapshot).requireDone();
    }

    @Test
    void aFolderOfThatNameWins() throws Exception {
        Path local = Files.createDirectories(folder.resolve("work/org/demo"));
        Files.copy(DEMO.resolve("config.json"), local.resolve("config.json"));

        run("plan", "org/demo", "--device", "cuda", "--device-memory", "8GiB")
                .end()
                .requireDone();

        assertThat(folder.resolve("home")).doesNotExist();
    }

    @Test
    void planDownloadsNoWeights() throws Exception {
        run("plan", "org/demo", "--device", "cuda", "--device-memory", "8GiB", "--quiet")
                .end()
                .requireDone();

        Path snapshot = folder.resolve("home/hub/models--org--demo/snapshots").resolve(FakeHub.COMMIT);
        assertThat(snapshot.resolve("config.json")).exists();
        assertThat(snapshot.resolve("model.safetensors")).doesNotExist();
    }

    @Test
    void refusesAnUnknownFamilyBeforeItDownloadsWeights() throws Exception {
        hub.put("config.json", "{\"model_type\": \"unheard-of\"}".getBytes(StandardCharsets.UTF_8));

        run("rtn", "org/demo", "--quiet").end().requireRefused(3, "unheard-of");

        assertThat(hub.hasSentWeights()).isFalse();
    }

    @Test
    void saysThatThereIsNoSuchModel() throws Exception {
        run("inspect", "org/other").end().requireRefused(3, "there is no folder org/other here", "no such model at");
    }

    private ChildRun run(Object... arguments) throws IOException {
        Map<String, String> environment = Map.of(
                "HF_HOME",
                folder.resolve("home").toString(),
                "HF_ENDPOINT",
                hub.endpoint().toString(),
                "HF_HUB_CACHE",
                "",
                "HF_HUB_OFFLINE",
                "0");
        return ChildRun.start(folder, List.of(), environment, folder.resolve("work"), arguments);
    }
}
