package io.gpuquant.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files and tensors beyond what an int addresses; their files are sparse and take little room. */
class LargeFileTest {

    private static final long LARGE = (1L << 31) + 1000;

    @TempDir
    Path directory;

    @Test
    void readsAndWritesBeyondTwoGigabytes() {
        List<TensorSpec> tensors = List.of(
                new TensorSpec("first", DType.U8, Shape.of(3)),
                new TensorSpec("large", DType.BF16, Shape.of(LARGE / 2)),
                new TensorSpec("last", DType.F32, Shape.of(2)));
        MemorySegment end = MemorySegment.ofArray(new byte[] {(byte) 0x80, 0x3f, 0x20, (byte) 0xc0});
        CheckpointLayout layout = CheckpointLayout.of(tensors);
        try (CheckpointWriter writer = CheckpointWriter.create(directory, layout)) {
            writer.write("large", LARGE - 4, end);
            writer.write("last", MemorySegment.ofArray(new float[] {0.5f, -8}));
            assertThat(writer.isWritten("large")).isFalse();
            assertThat(Elements.floatAt(writer.read("large").data(), DType.BF16, LARGE / 2 - 1))
                    .isEqualTo(-2.5f);
            writer.markWritten("large");
            writer.write("first", MemorySegment.ofArray(new byte[] {1, 2, 3}));
            writer.finish();
        }

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            HostTensor large = checkpoint.tensor("large");
            assertThat(large.byteSize()).isEqualTo(LARGE);
            assertThat(Elements.floatAt(large.data(), DType.BF16, LARGE / 2 - 2))
                    .isEqualTo(1);
            assertThat(Elements.floatAt(large.data(), DType.BF16, LARGE / 2 - 1))
                    .isEqualTo(-2.5f);
            assertThat(large.data().get(ValueLayout.JAVA_BYTE, 0)).isZero();
            assertThat(checkpoint.info("last").offset()).isEqualTo(LARGE + 3);
            assertThat(Elements.toFloats(checkpoint.tensor("last"))).containsExactly(0.5f, -8);
            assertThat(checkpoint.totalBytes()).isEqualTo(LARGE + 11);
        }
    }

    @Test
    void refusesALargeFileThatLacksItsLastByte() throws Exception {
        CheckpointLayout layout = CheckpointLayout.of(List.of(new TensorSpec("large", DType.U8, Shape.of(LARGE))));
        CheckpointWriter.create(directory, layout).close();
        Path file = directory.resolve("model.safetensors");
        try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
            access.setLength(access.length() - 1);
        }

        RawFiles.assertRefused(() -> Checkpoint.open(directory), file.toString(), "'large'", "" + (LARGE - 1));
    }
}
