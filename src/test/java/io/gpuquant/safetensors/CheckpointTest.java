package io.gpuquant.safetensors;

import static io.gpuquant.safetensors.RawFiles.assertRefused;
import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {

    private static final String FIRST = "model-00001-of-00002.safetensors";
    private static final String SECOND = "model-00002-of-00002.safetensors";

    @TempDir
    Path directory;

    @Test
    void joinsTheTensorsOfAllShardsInTheirOrder() {
        writeTwoShards();

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.directory()).isEqualTo(directory);
            assertThat(checkpoint.files()).containsExactly(directory.resolve(FIRST), directory.resolve(SECOND));
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactly("z", "y", "x");
            assertThat(checkpoint.fileOf("y")).isEqualTo(directory.resolve(FIRST));
            assertThat(checkpoint.fileOf("x")).isEqualTo(directory.resolve(SECOND));
            assertThat(checkpoint.info("x")).isEqualTo(new TensorInfo("x", DType.F32, Shape.of(1), 0, 4));
            assertThat(checkpoint.find("y")).contains(checkpoint.info("y"));
            assertThat(checkpoint.contains("z")).isTrue();
            assertThat(checkpoint.totalBytes()).isEqualTo(12);
            assertThat(Elements.toFloats(checkpoint.tensor("x"))).containsExactly(3);
        }
    }

    @Test
    void refusesTensorsItDoesNotHave() {
        writeTwoShards();

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.contains("w")).isFalse();
            assertThat(checkpoint.find("w")).isEmpty();
            assertRefused(() -> checkpoint.info("w"), directory.toString(), "'w'");
            assertRefused(() -> checkpoint.tensor("w"), directory.toString(), "'w'");
            assertRefused(() -> checkpoint.fileOf("w"), directory.toString(), "'w'");
        }
    }

    @Test
    void takesTheSingleFileBeforeTheIndex() {
        writeTwoShards();
        TestCheckpoints.write(directory, DType.F32, Map.of("single", new float[] {1}));

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactly("single");
        }
    }

    @Test
    void ownsTensorsThatTheIndexForgets() throws Exception {
        writeTwoShards();
        writeIndex("""
                {"weight_map":{"z":"%s","x":"%s"}}""".formatted(FIRST, SECOND));

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactly("z", "y", "x");
        }
    }

    @Test
    void passesOverWhatElseAnIndexSays() throws Exception {
        writeTwoShards();
        writeIndex("""
                {"metadata":{"total_size":1e9,"other":[{"deep":[null,true]}]},"more":0,
                "weight_map":{"z":"%s","y":"%s","x":"%s"}}""".formatted(FIRST, FIRST, SECOND));

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.tensors()).hasSize(3);
        }
    }

    @Test
    void followsLinksToShards() throws Exception {
        // The cache of Hugging Face's hub stores every file elsewhere under its hash.
        writeTwoShards();
        Path blobs = Files.createDirectory(directory.resolve("blobs"));
        Files.move(directory.resolve(FIRST), blobs.resolve("0123abcd"));
        Files.createSymbolicLink(directory.resolve(FIRST), Path.of("blobs/0123abcd"));

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(Elements.toFloats(checkpoint.tensor("z"))).containsExactly(1);
        }
    }

    @Test
    void refusesAFolderThatIsNotThereOrIsAFile() throws Exception {
        Path missing = directory.resolve("missing");
        Path file = Files.createFile(directory.resolve("file"));

        assertRefused(() -> Checkpoint.open(missing), missing.toString(), "does not exist");
        assertRefused(() -> Checkpoint.open(file), file.toString(), "is not a folder");
    }

    @Test
    void saysWhatItLookedForInAFolderWithoutACheckpoint() throws Exception {
        Files.createFile(directory.resolve("config.json"));

        assertRefused(
                () -> Checkpoint.open(directory),
                directory.toString(),
                "neither model.safetensors nor model.safetensors.index.json");
    }

    @Test
    void pointsAtPyTorchFiles() throws Exception {
        Files.createFile(directory.resolve("pytorch_model.bin"));

        assertRefused(
                () -> Checkpoint.open(directory), directory.toString(), "'pytorch_model.bin'", "safe_serialization");
    }

    @Test
    void pointsAtSafetensorsFilesOfOtherNames() throws Exception {
        Files.createFile(directory.resolve("pytorch_model.bin"));
        Files.createFile(directory.resolve(FIRST));

        assertRefused(() -> Checkpoint.open(directory), directory.toString(), "'" + FIRST + "'", "index of the shards");
    }

    @Test
    void refusesATensorInTwoShards() {
        List<HostTensor> tensors = threeTensors();
        TestCheckpoints.write(directory.resolve("other"), List.of(tensors.getFirst(), tensors.getLast()), 4);
        writeTwoShards();

        assertRefused(
                () -> {
                    Files.delete(directory.resolve(SECOND));
                    Files.copy(directory.resolve("other").resolve(FIRST), directory.resolve(SECOND));
                    Checkpoint.open(directory).close();
                },
                directory.resolve(FIRST).toString(),
                directory.resolve(SECOND).toString(),
                "tensor 'z' is both in");
    }

    private void writeTwoShards() {
        TestCheckpoints.write(directory, threeTensors(), 8);
    }

    private static List<HostTensor> threeTensors() {
        return List.of(
                TestCheckpoints.tensor("z", DType.F32, Shape.of(1), 1),
                TestCheckpoints.tensor("y", DType.F32, Shape.of(1), 2),
                TestCheckpoints.tensor("x", DType.F32, Shape.of(1), 3));
    }

    private void writeIndex(String json) throws Exception {
        Files.writeString(directory.resolve("model.safetensors.index.json"), json);
    }
}
