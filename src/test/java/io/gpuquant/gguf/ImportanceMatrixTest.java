package io.gpuquant.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImportanceMatrixTest {

    @TempDir
    Path folder;

    private static Path golden() throws URISyntaxException {
        return Path.of(
                Objects.requireNonNull(ImportanceMatrixTest.class.getResource("/goldens/gguf/demo-llama.imatrix.gguf"))
                        .toURI());
    }

    @Test
    void readsAndWritesTheFilesOfLlamaCpp() throws Exception {
        ImportanceMatrix matrix = ImportanceMatrix.read(golden());

        assertThat(matrix.origin()).isEqualTo(new ImportanceMatrix.Origin(List.of("cal.txt"), 32, 256));
        assertThat(matrix.entries()).hasSize(28);
        ImportanceMatrix.Entry query = matrix.find("blk.0.attn_q.weight").orElseThrow();
        assertThat(query.columns()).isEqualTo(256);
        assertThat(query.counts()).containsExactly(8192);
        assertThat(query.sums()).startsWith(3657.7312f, 4350.4985f);
        assertThat(query.means()[0]).isEqualTo(3657.7312f / 8192);
        assertThat(matrix.unseen()).isEmpty();

        Path copy = folder.resolve("copy.gguf");
        matrix.write(copy);
        assertThat(copy).hasSameBinaryContentAs(golden());
    }

    @Test
    void keepsExpertsApart() {
        ImportanceMatrix matrix = new ImportanceMatrix(
                new ImportanceMatrix.Origin(List.of(), 1, 8),
                List.of(new ImportanceMatrix.Entry(
                        "blk.0.ffn_up_exps.weight", 2, new float[] {8, 4, 0, 0, 1, 2}, new float[] {4, 0, 1})));
        matrix.write(folder.resolve("experts.gguf"));

        ImportanceMatrix read = ImportanceMatrix.read(folder.resolve("experts.gguf"));

        assertThat(read.hasNumbersOf(matrix)).isTrue();
        assertThat(read.entries().getFirst().means()).containsExactly(2, 1, 1, 1, 1, 2);
        assertThat(read.unseen()).containsExactly("blk.0.ffn_up_exps.weight, expert 1");
    }

    private static byte[] legacy() {
        ByteBuffer bytes = ByteBuffer.allocate(100).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(2);
        bytes.putInt(1).put((byte) 'a').putInt(4).putInt(2).putFloat(8).putFloat(2);
        bytes.putInt(2)
                .put("bc".getBytes(StandardCharsets.UTF_8))
                .putInt(1)
                .putInt(1)
                .putFloat(3);
        bytes.putInt(32).putInt(3).put("cal".getBytes(StandardCharsets.UTF_8));
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    @Test
    void readsTheFormatBefore() throws IOException {
        Path file = Files.write(folder.resolve("old.dat"), legacy());

        ImportanceMatrix matrix = ImportanceMatrix.read(file);

        assertThat(matrix.find("a").orElseThrow().means()).containsExactly(2, 0.5f);
        assertThat(matrix.find("bc").orElseThrow().means()).containsExactly(3);
        assertThat(matrix.find("none")).isEmpty();
    }

    @Test
    void damagedFilesAreReadOrRefused() throws Exception {
        byte[] old = legacy();
        Path file = folder.resolve("damaged");
        int refused = 0;
        for (int at = 0; at < old.length; at++) {
            for (int value : new int[] {0, 0x7f, 0x80, 0xff}) {
                byte[] bad = old.clone();
                bad[at] = (byte) value;
                refused += isRefused(file, bad) ? 1 : 0;
            }
            // What follows the entries is not needed.
            assertThat(isRefused(file, Arrays.copyOf(old, at))).isEqualTo(at < old.length - 11);
        }
        assertThat(refused).isGreaterThan(30);

        byte[] golden = Files.readAllBytes(golden());
        for (int at = 0; at < 600; at += 7) {
            byte[] bad = golden.clone();
            bad[at] ^= 0x55;
            refused += isRefused(file, bad) ? 1 : 0;
        }
        assertThat(refused).isGreaterThan(60);
    }

    private static boolean isRefused(Path file, byte[] bytes) throws IOException {
        Files.write(file, bytes);
        try {
            ImportanceMatrix.read(file);
            return false;
        } catch (InputException refused) {
            assertThat(refused.getMessage()).startsWith(file.toString()).doesNotContain("\n");
            return true;
        }
    }

    @Test
    void namesWhatIsNoImportance() throws IOException {
        Path model = folder.resolve("model.gguf");
        GgufLayout layout = GgufLayout.of(java.util.Map.of("general.type", GgufValue.text("model")), List.of());
        GgufWriter.create(model, layout).close();
        refuses(model, "is a GGUF file, but no importance matrix");
        refuses(Files.writeString(folder.resolve("text"), "hello there, this is text"), "is no importance matrix");
        Path infinite = folder.resolve("infinite.gguf");
        new ImportanceMatrix(
                        new ImportanceMatrix.Origin(List.of(), 1, 1),
                        List.of(new ImportanceMatrix.Entry(
                                "w", 2, new float[] {1, Float.POSITIVE_INFINITY}, new float[] {1})))
                .write(infinite);
        refuses(infinite, "the importance of feature 1 of 'w' is Infinity");
        assertThatThrownBy(() -> new ImportanceMatrix.Entry("w", 2, new float[3], new float[1]))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private static void refuses(Path file, String message) {
        assertThatThrownBy(() -> ImportanceMatrix.read(file))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining(message);
    }
}
