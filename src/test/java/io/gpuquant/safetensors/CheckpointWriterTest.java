package io.gpuquant.safetensors;

import static io.gpuquant.safetensors.RawFiles.assertRefused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointWriterTest {

    private static final String INDEX = "model.safetensors.index.json";
    private static final String FIRST = "model-00001-of-00002.safetensors";
    private static final String SECOND = "model-00002-of-00002.safetensors";

    private static final CheckpointLayout TWO_SHARDS = layout(
            10,
            new TensorSpec("a", DType.U8, Shape.of(6)),
            new TensorSpec("none", DType.F32, Shape.of(0)),
            new TensorSpec("b", DType.U8, Shape.of(4)),
            new TensorSpec("c", DType.I16, Shape.of(4)));

    private static final MemorySegment A = MemorySegment.ofArray(new byte[] {1, 2, 3, 4, 5, 6});
    private static final MemorySegment B = MemorySegment.ofArray(new byte[] {7, 8, 9, 10});
    private static final MemorySegment C = MemorySegment.ofArray(new byte[] {11, 12, 13, 14, 15, 16, 17, 18});

    @TempDir
    Path temporary;

    @Test
    void makesFilesOfFinalLengthWithHeadersBeforeAnythingIsWritten() throws Exception {
        Path out = temporary.resolve("new/out");
        try (CheckpointWriter writer = CheckpointWriter.create(out, TWO_SHARDS)) {
            assertThat(writer.directory()).isEqualTo(out);
            assertThat(writer.layout()).isSameAs(TWO_SHARDS);
            for (ShardLayout shard : TWO_SHARDS.shards()) {
                byte[] bytes = Files.readAllBytes(out.resolve(shard.fileName()));
                assertThat(bytes).hasSize((int) shard.fileBytes()).startsWith(shard.header());
            }
            assertThat(out.resolve(INDEX)).doesNotExist();
        }
    }

    @Test
    void writesInAnyOrderAndInPieces() {
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, TWO_SHARDS)) {
            writer.write("c", C);
            writer.write("b", B);
            writer.write("a", 4, A.asSlice(4));
            assertThat(writer.isWritten("a")).isFalse();
            writer.write("a", 0, A.asSlice(0, 5));
            assertThat(writer.isWritten("a")).isTrue();
            assertThat(writer.isWritten("none")).isTrue();
            writer.finish();
        }
        try (Checkpoint checkpoint = Checkpoint.open(temporary)) {
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactly("a", "none", "b", "c");
            assertHolds(checkpoint.tensor("a"), A);
            assertHolds(checkpoint.tensor("b"), B);
            assertHolds(checkpoint.tensor("c"), C);
        }
    }

    @Test
    void writesTheIndexAtTheEndAndLeavesNothingElse() throws Exception {
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, TWO_SHARDS)) {
            writeAll(writer);
            assertThat(temporary.resolve(INDEX)).doesNotExist();
            writer.finish();
        }

        assertThat(temporary.resolve(INDEX)).hasContent(TWO_SHARDS.indexText().orElseThrow());
        assertThat(temporary.toFile().list()).containsExactlyInAnyOrder(FIRST, SECOND, INDEX);
    }

    @Test
    void refusesToFinishWithoutEveryTensor() {
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, TWO_SHARDS)) {
            writer.write("b", B);
            writer.write("a", 1, A.asSlice(1));

            assertThatThrownBy(writer::finish)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("2 tensor(s)")
                    .hasMessageContaining("a, c");
        }
        assertThat(temporary.resolve(INDEX)).doesNotExist();
    }

    @Test
    void aResumedRunGivesTheBytesOfAnUninterruptedOne() throws Exception {
        Path whole = temporary.resolve("whole");
        try (CheckpointWriter writer = CheckpointWriter.create(whole, TWO_SHARDS)) {
            writeAll(writer);
            writer.finish();
        }
        Path resumed = temporary.resolve("resumed");
        try (CheckpointWriter writer = CheckpointWriter.create(resumed, TWO_SHARDS)) {
            writer.write("a", A);
            writer.write("c", 0, MemorySegment.ofArray(new byte[] {99, 99}));
            writer.force();
        }
        try (CheckpointWriter writer = CheckpointWriter.reopen(resumed, TWO_SHARDS)) {
            assertThat(writer.isWritten("a")).isFalse();
            writer.markWritten("a");
            assertHolds(writer.read("a"), A);
            writer.write("b", B);
            writer.write("c", C);
            writer.finish();
        }

        for (String file : List.of(FIRST, SECOND, INDEX)) {
            assertThat(resumed.resolve(file)).hasSameBinaryContentAs(whole.resolve(file));
        }
    }

    @Test
    void readsBackFromAnUnfinishedOutput() {
        HostTensor kept;
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, TWO_SHARDS)) {
            writer.write("a", A);
            kept = writer.read("a");
            assertThat(kept.dtype()).isEqualTo(DType.U8);
            assertThat(kept.data().isReadOnly()).isTrue();
            assertHolds(writer.read("b"), MemorySegment.ofArray(new byte[4]));
            assertThat(writer.read("none").byteSize()).isZero();
        }
        assertHolds(kept, A);
    }

    @Test
    void takesTensorsFromSeveralThreads() {
        TensorSpec[] specs = IntStream.range(0, 64)
                .mapToObj(i -> new TensorSpec("t" + i, DType.U8, Shape.of(1000 + i)))
                .toArray(TensorSpec[]::new);
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, layout(8000, specs))) {
            Arrays.stream(specs).parallel().forEach(spec -> {
                writer.write(spec.name(), 500, random(spec).asSlice(500));
                writer.write(spec.name(), 0, random(spec).asSlice(0, 500));
            });
            writer.finish();
        }
        try (Checkpoint checkpoint = Checkpoint.open(temporary)) {
            assertThat(checkpoint.files()).hasSizeGreaterThan(7);
            for (TensorSpec spec : specs) {
                assertHolds(checkpoint.tensor(spec.name()), random(spec));
            }
        }
    }

    @Test
    void writesTensorsLargerThanOneWriteOfTheChannel() {
        TensorSpec heap = new TensorSpec("heap", DType.U8, Shape.of((20 << 20) + 3));
        TensorSpec offHeap = new TensorSpec("off heap", DType.U8, Shape.of((20 << 20) + 5));
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, layout(1 << 30, heap, offHeap));
                Arena arena = Arena.ofShared()) {
            writer.write("heap", random(heap));
            writer.write("off heap", arena.allocate(offHeap.byteSize()).copyFrom(random(offHeap)));
            writer.finish();
        }
        try (Checkpoint checkpoint = Checkpoint.open(temporary)) {
            assertThat(checkpoint.tensor("heap").data().mismatch(random(heap))).isEqualTo(-1);
            assertThat(checkpoint.tensor("off heap").data().mismatch(random(offHeap)))
                    .isEqualTo(-1);
        }
    }

    @Test
    void takesArraysOfAnyElementType() {
        TensorSpec spec = new TensorSpec("x", DType.I64, Shape.of(2));
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, layout(100, spec))) {
            MemorySegment expected = MemorySegment.ofArray(new byte[] {1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0});
            writer.write("x", MemorySegment.ofArray(new long[] {1, 2}));
            assertHolds(writer.read("x"), expected);
            writer.write("x", MemorySegment.ofArray(new int[] {1, 0, 2, 0}));
            assertHolds(writer.read("x"), expected);
            writer.write("x", expected.asReadOnly());
            assertHolds(writer.read("x"), expected);
        }
    }

    @Test
    void copiesTensorsStraightFromAnotherCheckpoint() {
        Path source = TestCheckpoints.write(
                temporary.resolve("in"),
                List.of(TestCheckpoints.bytes("a", DType.U8, Shape.of(3), (byte) 1, (byte) 2, (byte) 3)));
        TensorSpec spec = new TensorSpec("a", DType.U8, Shape.of(3));
        try (Checkpoint checkpoint = Checkpoint.open(source);
                CheckpointWriter writer = CheckpointWriter.create(temporary.resolve("out"), layout(10, spec))) {
            writer.write("a", checkpoint.tensor("a").data());
            assertHolds(writer.read("a"), checkpoint.tensor("a").data());
        }
    }

    @Test
    void refusesBytesThatAreNotThoseOfTheTensor() {
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, TWO_SHARDS)) {
            assertThatThrownBy(() -> writer.write("a", B))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("'a' has 6 bytes, not 4");
            assertThatThrownBy(() -> writer.write("a", 3, B)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> writer.write("a", -1, B)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> writer.write("d", B)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> writer.markWritten("d")).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> writer.read("d")).isInstanceOf(IllegalArgumentException.class);
            assertHolds(writer.read("a"), MemorySegment.ofArray(new byte[6]));
        }
    }

    @Test
    void refusesToBeginOverAFileThatIsThere() throws Exception {
        Path second = Files.createFile(temporary.resolve(SECOND));

        assertThatThrownBy(() -> CheckpointWriter.create(temporary, TWO_SHARDS))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining(second + " already exists; remove it or choose another folder with --out");
        assertThat(second).isEmptyFile();
    }

    @Test
    void explainsAFolderThatCannotBeMade() throws Exception {
        Path file = Files.createFile(temporary.resolve("file"));

        assertThatThrownBy(() -> CheckpointWriter.create(file, TWO_SHARDS))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining(file + " cannot be written (a file is in the way); choose another folder");
    }

    @Test
    void refusesToResumeAnythingElse() throws Exception {
        assertRefused(() -> CheckpointWriter.reopen(temporary, TWO_SHARDS), FIRST, "does not exist");
        CheckpointWriter.create(temporary, TWO_SHARDS).close();
        CheckpointLayout other = layout(10, new TensorSpec("a", DType.I8, Shape.of(6)));
        assertRefused(() -> CheckpointWriter.reopen(temporary, other), "model.safetensors", "does not exist");

        Path second = temporary.resolve(SECOND);
        byte[] good = Files.readAllBytes(second);
        Files.write(second, new byte[] {0}, StandardOpenOption.APPEND);
        assertRefused(() -> CheckpointWriter.reopen(temporary, TWO_SHARDS), second.toString(), "remove the unfinished");
        byte[] changed = good.clone();
        changed[20] ^= 1;
        Files.write(second, changed);
        assertRefused(() -> CheckpointWriter.reopen(temporary, TWO_SHARDS), second.toString(), "remove the unfinished");
        Files.write(second, new byte[0]);
        assertRefused(() -> CheckpointWriter.reopen(temporary, TWO_SHARDS), second.toString(), "remove the unfinished");
        Files.write(second, good);
        CheckpointWriter.reopen(temporary, TWO_SHARDS).close();
    }

    @Test
    void anOutputWithoutTensorsIsAValidFile() {
        CheckpointLayout none = layout(10);
        try (CheckpointWriter writer = CheckpointWriter.create(temporary, none)) {
            writer.finish();
        }
        try (Checkpoint checkpoint = Checkpoint.open(temporary)) {
            assertThat(checkpoint.tensors()).isEmpty();
        }
    }

    private static CheckpointLayout layout(long maxShardBytes, TensorSpec... specs) {
        return CheckpointLayout.of(List.of(specs), CheckpointLayout.DEFAULT_METADATA, maxShardBytes);
    }

    private static void writeAll(CheckpointWriter writer) {
        writer.write("a", A);
        writer.write("b", B);
        writer.write("c", C);
    }

    private static MemorySegment random(TensorSpec spec) {
        byte[] bytes = new byte[(int) spec.byteSize()];
        new SplittableRandom(bytes.length).nextBytes(bytes);
        return MemorySegment.ofArray(bytes);
    }

    private static void assertHolds(HostTensor tensor, MemorySegment expected) {
        assertThat(tensor.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected.toArray(ValueLayout.JAVA_BYTE));
    }
}
