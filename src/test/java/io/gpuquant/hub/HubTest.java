package io.gpuquant.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.ResourceException;
import io.gpuquant.hub.Hub.Parts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything here goes over HTTP to a server on this machine. */
class HubTest implements DownloadListener {

    private static final String COMMIT = FakeHub.COMMIT;
    private static final ModelReference MODEL = new ModelReference("Some-Org", "tiny.model", "main");
    private static final byte[] WEIGHTS = bytes(300_000, 1);

    @TempDir
    Path home;

    private final List<String> notes = new ArrayList<>();
    private FakeHub server;
    private Optional<String> token = Optional.empty();
    private boolean offline;
    private long announced;
    private long received;

    @BeforeEach
    void start() throws IOException {
        server = new FakeHub("Some-Org/tiny.model")
                .put("config.json", "{\"model_type\": \"llama\"}")
                .put("tokenizer.json", "{}")
                .put("LICENSE", "free")
                .put("README.md", "not needed")
                .put("consolidated.safetensors", bytes(10, 9))
                .put("model.safetensors", WEIGHTS);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Override
    public void started(ModelReference model, int files, long bytes) {
        announced += bytes;
    }

    @Override
    public void received(long bytes) {
        received += bytes;
    }

    @Override
    public void note(String line) {
        notes.add(line);
    }

    @Test
    void makesTheLayoutThatOtherToolsKeep() throws IOException {
        Path snapshot = get(MODEL);

        Path repository = home.resolve("hub/models--Some-Org--tiny.model");
        assertThat(snapshot).isEqualTo(repository.resolve("snapshots/" + COMMIT));
        assertThat(repository.resolve("refs/main")).hasContent(COMMIT);
        assertThat(names(snapshot)).containsExactly("LICENSE", "config.json", "model.safetensors", "tokenizer.json");
        Path weights = snapshot.resolve("model.safetensors");
        assertThat(Files.readSymbolicLink(weights))
                .isEqualTo(Path.of("../../blobs/" + FakeHub.etag("model.safetensors", WEIGHTS)));
        assertThat(weights).hasBinaryContent(WEIGHTS);
        assertThat(names(repository.resolve("blobs"))).hasSize(4).noneMatch(name -> name.endsWith(".incomplete"));
        assertThat(received).isEqualTo(announced).isGreaterThan(WEIGHTS.length);
        assertThat(home.resolve("outside.json")).doesNotExist();
    }

    @Test
    void findsWhatOtherToolsDownloaded() throws IOException {
        offline = true;
        Path repository = home.resolve("hub/models--Some-Org--tiny.model");
        Path snapshot = Files.createDirectories(repository.resolve("snapshots/abc"));
        Files.createDirectories(repository.resolve("blobs"));
        Files.createDirectories(repository.resolve("refs"));
        Files.writeString(repository.resolve("refs/main"), "abc");
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.writeString(repository.resolve("blobs/" + name), "content of " + name);
            Files.createSymbolicLink(snapshot.resolve(name), Path.of("../../blobs/" + name));
        }

        assertThat(get(MODEL)).isEqualTo(snapshot);
        assertThat(server.log).isEmpty();

        Files.delete(repository.resolve("blobs/model.safetensors"));
        refused(InputException.class, "lacks model.safetensors", "HF_HUB_OFFLINE");
    }

    @Test
    void downloadsNothingTwice() {
        get(MODEL);
        int before = server.log.size();
        get(MODEL);

        assertThat(server.log.subList(before, server.log.size())).noneMatch(line -> line.startsWith("GET /cdn"));
        server.log.clear();
        get(new ModelReference("Some-Org", "tiny.model", COMMIT));
        assertThat(server.log).isEmpty();
    }

    @Test
    void takesANewerCommitAndSharesWhatIsEqual() throws IOException {
        Path old = get(MODEL);
        String next = "f".repeat(40);
        server.revisions.put("main", next);
        server.put("config.json", "{\"model_type\": \"llama\", \"newer\": true}");
        server.log.clear();

        Path fresh = get(MODEL);

        assertThat(fresh.getFileName()).hasToString(next);
        assertThat(fresh.resolve("config.json")).content().contains("newer");
        assertThat(old.resolve("config.json")).content().doesNotContain("newer");
        assertThat(server.log).noneMatch(line -> line.startsWith("GET /cdn"));
        assertThat(fresh.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    }

    @Test
    void asksForTheRevision() throws IOException {
        server.revisions.put("refs%2Fpr%2F1", "e".repeat(40));

        Path snapshot =
                get(ModelReference.parse("Some-Org/tiny.model@refs/pr/1").orElseThrow());

        assertThat(snapshot.getFileName()).hasToString("e".repeat(40));
        assertThat(home.resolve("hub/models--Some-Org--tiny.model/refs/refs/pr/1"))
                .hasContent("e".repeat(40));
        refused(
                ModelReference.parse("Some-Org/tiny.model@nowhere").orElseThrow(),
                InputException.class,
                "Some-Org/tiny.model has no revision \"nowhere\"");
    }

    @Test
    void downloadsTheShardsThatTheIndexNames() throws IOException {
        server.put("model.safetensors.index.json", """
                {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}""");
        server.put("model-00001-of-00002.safetensors", bytes(1000, 2));
        server.put("model-00002-of-00002.safetensors", bytes(2000, 3));
        server.put("model.safetensors.unneeded", "x");

        assertThat(names(get(MODEL))).doesNotContain("model.safetensors.index.json");

        try (FakeHub sharded = server) {
            server = new FakeHub("Some-Org/tiny.model")
                    .put("config.json", "{}")
                    .put("consolidated.safetensors", bytes(10, 9))
                    .put("model.safetensors.index.json", """
                            {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}""")
                    .put("model-00001-of-00002.safetensors", bytes(1000, 2))
                    .put("model-00002-of-00002.safetensors", bytes(2000, 3));
            server.revisions.put("main", "d".repeat(40));
            assertThat(names(get(MODEL)))
                    .containsExactly(
                            "config.json",
                            "model-00001-of-00002.safetensors",
                            "model-00002-of-00002.safetensors",
                            "model.safetensors.index.json");
        }
    }

    @Test
    void refusesAnIndexThatLeadsOut() {
        server = replaced("model.safetensors.index.json", "{\"weight_map\": {\"a\": \"../../../x.safetensors\"}}");

        refused(InputException.class, "is not a valid index of shards");
    }

    @Test
    void needsOnlyTheConfigurationForAPlan() throws IOException {
        Path snapshot = new Hub(settings(), this).folderOf(MODEL, Parts.CONFIGURATION);

        assertThat(names(snapshot)).containsExactly("LICENSE", "config.json", "tokenizer.json");
        assertThat(get(MODEL).resolve("model.safetensors")).exists();
    }

    @Test
    void sendsTheTokenToTheHubAndToNoOtherHost() {
        token = Optional.of("secret");
        server.gate = "secret";

        get(MODEL);

        assertThat(server.log)
                .filteredOn(line -> line.contains("/cdn/"))
                .isNotEmpty()
                .noneMatch(this::hasToken);
        assertThat(server.log)
                .filteredOn(line -> !line.contains("/cdn/"))
                .isNotEmpty()
                .allMatch(this::hasToken);
    }

    private boolean hasToken(String line) {
        return line.endsWith(" token");
    }

    @Test
    void saysHowToGetIntoAGatedModel() {
        server.gate = "secret";

        refused(InputException.class, "is gated: accept its terms at", "set HF_TOKEN");
        token = Optional.of("other");
        refused(InputException.class, "is gated", "the token that is set now has no access");
    }

    @Test
    void saysWhatTheHubRefuses() {
        server.refusal = "401 RepoNotFound";
        refused(InputException.class, "no folder Some-Org/tiny.model here", "does not exist", "HF_TOKEN");
        server.refusal = "404 RepoNotFound";
        refused(InputException.class, "no folder Some-Org/tiny.model here and no such model at", "check the name");
        server.refusal = "403";
        token = Optional.of("t");
        refused(InputException.class, "is not open to the access token");
        server.refusal = "418";
        refused(InputException.class, "with status 418");
    }

    @Test
    void goesOnWhereAConnectionWasDropped() throws IOException {
        server.drops.set(3);
        // What of it is received is a matter of luck once the connection is gone.
        server.beforeDrop = this::awaitOnDisk;

        assertThat(get(MODEL).resolve("model.safetensors")).hasBinaryContent(WEIGHTS);

        assertThat(server.log)
                .filteredOn(line -> line.startsWith("GET /cdn"))
                .containsExactly(
                        "GET /cdn/model.safetensors",
                        "GET /cdn/model.safetensors bytes=150000-",
                        "GET /cdn/model.safetensors bytes=225000-",
                        "GET /cdn/model.safetensors bytes=262500-");
        assertThat(notes).anyMatch(line -> line.contains("model.safetensors") && line.endsWith("trying again"));
        assertThat(received).isEqualTo(announced);
    }

    @Test
    void goesOnInAnotherRun() throws IOException {
        Path blobs = Files.createDirectories(home.resolve("hub/models--Some-Org--tiny.model/blobs"));
        Path incomplete = blobs.resolve(FakeHub.etag("model.safetensors", WEIGHTS) + ".incomplete");
        Files.write(incomplete, Arrays.copyOf(WEIGHTS, 1234));

        assertThat(get(MODEL).resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
        assertThat(server.log).contains("GET /cdn/model.safetensors bytes=1234-");
        assertThat(incomplete).doesNotExist();
    }

    @Test
    void startsAnewWhereTheServerCannotGoOn() throws IOException {
        server.drops.set(1);
        server.ranges = false;

        assertThat(get(MODEL).resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
        assertThat(received).isEqualTo(announced);
    }

    @Test
    void downloadsAgainWhatArrivedDamaged() throws IOException {
        server.damaged.set(1);

        assertThat(get(MODEL).resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
        assertThat(notes).contains("model.safetensors has arrived damaged; downloading it again");
    }

    @Test
    void keepsNothingThatArrivedDamagedTwice() {
        server.damaged.set(2);

        refused(InputException.class, "model.safetensors arrived twice with another checksum");

        Path repository = home.resolve("hub/models--Some-Org--tiny.model");
        assertThat(repository.resolve("refs/main")).doesNotExist();
        assertThat(repository.resolve("snapshots/" + COMMIT + "/model.safetensors"))
                .doesNotExist();
        assertThat(repository.resolve("blobs")).isDirectoryNotContaining("glob:**incomplete");
    }

    @ParameterizedTest
    @ValueSource(ints = {429, 500, 503})
    void triesAgainWhenTheHubIsOverloaded(int status) {
        server.overload = status;
        server.overloaded.set(3);

        assertThat(get(MODEL)).isDirectory();
        assertThat(notes).hasSize(3).allMatch(line -> line.contains("status " + status));
    }

    @Test
    void givesUpAfterAWhile() {
        server.overloaded.set(1000);

        refused(ResourceException.class, "cannot be had from", "status 503", "check the network");
    }

    @Test
    void takesTheCacheWhenTheHubIsAway() {
        Path snapshot = get(MODEL);
        server.overloaded.set(1000);

        assertThat(get(MODEL)).isEqualTo(snapshot);
        assertThat(notes).last().asString().contains("taking Some-Org/tiny.model from the cache");
    }

    @Test
    void obeysOffline() {
        offline = true;

        refused(InputException.class, "is not in the cache", "HF_HUB_OFFLINE");
        assertThat(server.log).isEmpty();
        offline = false;
        Path snapshot = get(MODEL);
        offline = true;
        server.log.clear();
        assertThat(get(MODEL)).isEqualTo(snapshot);
        assertThat(server.log).isEmpty();
    }

    @Test
    void twoDownloadsOfTheSameModelTakeTurns() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            List<Future<Path>> both =
                    Stream.of(1, 2).map(i -> threads.submit(() -> get(MODEL))).toList();
            for (Future<Path> one : both) {
                assertThat(one.get().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
            }
        }
        assertThat(server.log).filteredOn(line -> line.startsWith("GET /cdn")).hasSize(1);
    }

    @Test
    void refusesPickles() {
        server = replaced("pytorch_model.bin", "x");

        refused(InputException.class, "pytorch_model.bin only", "can run any code", "safetensors");
        assertThat(server.log).noneMatch(line -> line.contains("pytorch_model.bin"));
    }

    @Test
    void asksForRoomBeforeItStarts() {
        server.announced = 1L << 59;

        refused(ResourceException.class, "takes", "are free", "HF_HOME");
        assertThat(server.log).noneMatch(line -> line.startsWith("GET /cdn"));
    }

    @Test
    void refusesMoreThanWasAnnounced() {
        server.announced = 1000;

        refused(ResourceException.class, "sends more than the 1000 bytes");
    }

    @Test
    void readsTheEnvironmentOfOtherTools() throws IOException {
        Path cache = home.resolve(".cache/huggingface");
        assertThat(HubSettings.of(Map.of(), home).cache()).isEqualTo(cache.resolve("hub"));
        assertThat(HubSettings.of(Map.of("XDG_CACHE_HOME", "/x"), home).cache())
                .isEqualTo(Path.of("/x/huggingface/hub"));
        assertThat(HubSettings.of(Map.of("HF_HOME", "/y"), home).cache()).isEqualTo(Path.of("/y/hub"));
        assertThat(HubSettings.of(Map.of("HF_HOME", "/y", "HF_HUB_CACHE", "/z"), home)
                        .cache())
                .isEqualTo(Path.of("/z"));
        assertThat(HubSettings.of(Map.of("HF_HUB_OFFLINE", "1"), home).offline())
                .isTrue();
        assertThat(HubSettings.of(Map.of("HF_HUB_OFFLINE", "0"), home).offline())
                .isFalse();
        assertThat(HubSettings.of(Map.of(), home).endpoint()).hasToString("https://huggingface.co");
        assertThat(HubSettings.of(Map.of("HF_ENDPOINT", "http://mirror/"), home).endpoint())
                .hasToString("http://mirror");
        assertThatThrownBy(() -> HubSettings.of(Map.of("HF_ENDPOINT", "mirror"), home))
                .hasMessageContaining("HF_ENDPOINT is \"mirror\"");
        Files.createDirectories(cache);
        Files.writeString(cache.resolve("token"), "from file\n");
        assertThat(HubSettings.of(Map.of(), home).token()).contains("from file");
        assertThat(HubSettings.of(Map.of("HF_TOKEN", " given "), home).token()).contains("given");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/a/b",
                "./b",
                "../b",
                "a",
                "a/b/c",
                "a--b/c",
                "a/b@",
                "a/b@../c",
                "a/b@x/../../y",
                "a/b@x//y",
                "a/..b",
                "~/b"
            })
    void takesPathsForPaths(String text) {
        assertThat(ModelReference.parse(text)).isEmpty();
    }

    @Test
    void readsNames() {
        assertThat(ModelReference.parse("meta-llama/Llama-3.2-1B"))
                .contains(new ModelReference("meta-llama", "Llama-3.2-1B", "main"));
        assertThat(ModelReference.parse("a/b@v1.0")).contains(new ModelReference("a", "b", "v1.0"));
        assertThat(Hub.nameOfSnapshot(home.resolve("models--a--b/snapshots/" + COMMIT)))
                .contains("b");
        assertThat(Hub.nameOfSnapshot(home.resolve("a/snapshots/" + COMMIT))).isEmpty();
        assertThat(Hub.nameOfSnapshot(home)).isEmpty();
    }

    /** A repository that has one file besides its configuration. */
    private FakeHub replaced(String name, String content) {
        server.close();
        try {
            return new FakeHub("Some-Org/tiny.model").put("config.json", "{}").put(name, content);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private HubSettings settings() {
        return new HubSettings(
                home.resolve("hub"), server.endpoint(), token, offline, Duration.ofMillis(1), Duration.ofSeconds(10));
    }

    private Path get(ModelReference model) {
        return new Hub(settings(), this).folderOf(model, Parts.EVERYTHING);
    }

    private void refused(Class<? extends Exception> type, String... parts) {
        refused(MODEL, type, parts);
    }

    private void refused(ModelReference model, Class<? extends Exception> type, String... parts) {
        assertThatThrownBy(() -> get(model)).isInstanceOf(type).message().contains(parts);
    }

    /** Waits until so much of the weights has been written. */
    private void awaitOnDisk(int bytes) {
        Path incomplete = home.resolve("hub/models--Some-Org--tiny.model/blobs")
                .resolve(FakeHub.etag("model.safetensors", WEIGHTS) + ".incomplete");
        try {
            for (int i = 0; i < 5000 && !(Files.exists(incomplete) && Files.size(incomplete) >= bytes); i++) {
                Thread.sleep(1);
            }
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private static byte[] bytes(int count, long seed) {
        byte[] bytes = new byte[count];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }
}
