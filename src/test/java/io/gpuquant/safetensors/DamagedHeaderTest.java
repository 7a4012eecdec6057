package io.gpuquant.safetensors;

import static io.gpuquant.safetensors.RawFiles.entry;
import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.InputException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damage of every place of a small file: it is read as what it then says, or refused; nothing else may happen. */
class DamagedHeaderTest {

    private static final Path NAME = Path.of("damaged.safetensors");
    private static final byte[] VALID = RawFiles.bytes(
            "{\"__metadata__\":{\"format\":\"pt\"}," + entry("a", "F32", "[1,2]", "[0,8]") + ","
                    + entry("ä", "F4", "[6]", "[8,11]") + "}  ",
            11);

    @TempDir
    Path directory;

    @Test
    void everyOtherValueOfEveryHeaderByteIsReadOrRefused() {
        int read = 0;
        for (int position = 0; position < VALID.length - 11; position++) {
            for (int change = 1; change < 256; change++) {
                byte[] damaged = VALID.clone();
                damaged[position] ^= (byte) change;
                read += isRefused(damaged) ? 0 : 1;
            }
        }
        // Most bytes matter; a few stand in a name or in the metadata, where nearly any character will do.
        assertThat(read).isBetween(500, 2000);
    }

    @Test
    void everyTruncationIsRefused() throws Exception {
        Path file = directory.resolve("model.safetensors");
        for (int length = 0; length < VALID.length; length++) {
            Files.write(file, Arrays.copyOf(VALID, length));
            RawFiles.assertRefused(() -> Checkpoint.open(directory), file.toString());
        }
        Files.write(file, VALID);
        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.tensors()).hasSize(2);
        }
    }

    @Test
    void randomDamageOfSeveralBytesIsReadOrRefused() {
        SplittableRandom random = new SplittableRandom(42);
        int refused = 0;
        for (int i = 0; i < 50_000; i++) {
            byte[] damaged = VALID.clone();
            int changes = random.nextInt(1, 5);
            for (int change = 0; change < changes; change++) {
                // Copies of other bytes of the header hit its grammar more often than random ones.
                damaged[random.nextInt(8, VALID.length)] = VALID[random.nextInt(8, VALID.length)];
            }
            refused += isRefused(damaged) ? 1 : 0;
        }
        assertThat(refused).isBetween(30_000, 49_000);
    }

    private static boolean isRefused(byte[] bytes) {
        MemorySegment file = MemorySegment.ofArray(bytes);
        try {
            SafetensorsHeader header = SafetensorsHeader.parse(file, NAME);
            long end = 0;
            for (TensorInfo tensor : header.tensors()) {
                assertThat(tensor.offset()).isEqualTo(end);
                end = tensor.end();
            }
            assertThat(header.dataStart() + end).isEqualTo(bytes.length);
            return false;
        } catch (InputException e) {
            assertThat(e.getMessage())
                    .startsWith("damaged.safetensors is not")
                    .contains("; ")
                    .doesNotContain("\n");
            return true;
        }
    }
}
