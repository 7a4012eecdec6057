package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.VerificationException;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.TypePlan;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that ends at any tensor goes on where it was, and makes the bytes it would have made. */
class GgufResumeTest {

    @TempDir
    Path folder;

    private Path model = Path.of("");
    private byte[] undisturbed = {};

    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** Ends a run after some tensors, and hears what the next says. */
    private static final class Ending implements GgufListener {

        private final int after;
        private int resumed;
        private int lost;

        Ending(int after) {
            this.after = after;
        }

        @Override
        public void tensorDone(int done, int total, long bytesDone, long bytesTotal) {
            if (done == after) {
                throw new Killed();
            }
        }

        @Override
        public void resumed(int tensorsDone) {
            resumed = tensorsDone;
        }

        @Override
        public void startedAnew(int tensorsLost) {
            lost = tensorsLost;
        }
    }

    @BeforeEach
    void runOnce() throws IOException {
        model = TinyModel.narrow().write(folder.resolve("model"));
        job("expected", FileType.Q8_0, Long.MAX_VALUE, new Ending(0), 1).run();
        undisturbed = Files.readAllBytes(folder.resolve("expected.gguf"));
    }

    private GgufJob job(String name, FileType mix, long maxFileBytes, GgufListener listener, long syncedTogether) {
        GgufOptions options = new GgufOptions(
                model,
                "model",
                folder.resolve(name + ".gguf"),
                false,
                new TypePlan.Request(mix, false, List.of()),
                Optional.empty(),
                Optional.empty(),
                maxFileBytes,
                false);
        return new GgufJob(
                options, () -> HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1)), 1, listener, syncedTogether);
    }

    private void kill(String name, FileType mix, int after, long syncedTogether) {
        assertThatThrownBy(() -> job(name, mix, Long.MAX_VALUE, new Ending(after), syncedTogether)
                        .run())
                .isInstanceOf(Killed.class);
        assertThat(folder.resolve(name + ".gguf")).doesNotExist();
    }

    @Test
    void goesOnAfterTheLastSyncedTensor() throws IOException {
        kill("made", FileType.Q8_0, 7, 1);
        kill("made", FileType.Q8_0, 12, 1);
        Ending last = new Ending(0);

        GgufResult result = job("made", FileType.Q8_0, Long.MAX_VALUE, last, 1).run();

        assertThat(last.resumed).isEqualTo(12);
        assertThat(result.resumedTensors()).isEqualTo(12);
        assertThat(Files.readAllBytes(folder.resolve("made.gguf"))).isEqualTo(undisturbed);
        assertThat(folder.resolve("made.gguf.partial")).doesNotExist();
    }

    /** What has not been waited for may be lost in a crash of the machine, so it is done again. */
    @Test
    void tensorsThatWereNotSyncedAreDoneAgain() throws IOException {
        kill("made", FileType.Q8_0, 5, 100_000);
        Ending last = new Ending(0);

        job("made", FileType.Q8_0, Long.MAX_VALUE, last, 100_000).run();

        assertThat(last.resumed).isBetween(1, 4);
        assertThat(Files.readAllBytes(folder.resolve("made.gguf"))).isEqualTo(undisturbed);
    }

    @Test
    void aTornLineOfTheJournalDoesNotCount() throws IOException {
        kill("made", FileType.Q8_0, 9, 1);
        Path journal = folder.resolve("made.gguf.partial").resolve(Journal.FILE);
        byte[] lines = Files.readAllBytes(journal);
        try (FileChannel channel = FileChannel.open(journal, StandardOpenOption.WRITE)) {
            channel.truncate(lines.length - 5);
        }
        Ending last = new Ending(0);

        job("made", FileType.Q8_0, Long.MAX_VALUE, last, 1).run();

        assertThat(last.resumed).isEqualTo(8);
        assertThat(Files.readAllBytes(folder.resolve("made.gguf"))).isEqualTo(undisturbed);
    }

    @Test
    void otherOptionsBeginAnew() throws IOException {
        kill("made", FileType.Q4_0, 9, 1);
        Ending last = new Ending(0);

        job("made", FileType.Q8_0, Long.MAX_VALUE, last, 1).run();

        assertThat(last.lost).isEqualTo(9);
        assertThat(last.resumed).isZero();
        assertThat(Files.readAllBytes(folder.resolve("made.gguf"))).isEqualTo(undisturbed);
    }

    @Test
    void aRunThatDidNothingLeavesNothing() {
        kill("made", FileType.Q8_0, 1, Long.MAX_VALUE);

        assertThat(folder.resolve("made.gguf.partial")).doesNotExist();
    }

    /** What the disk changed behind a run's back is found when the files are read back. */
    @Test
    void changedBytesAreFound() throws IOException {
        kill("made", FileType.Q8_0, 9, 1);
        Path growing = folder.resolve("made.gguf.partial").resolve("made.gguf");
        try (FileChannel channel = FileChannel.open(growing, StandardOpenOption.WRITE)) {
            int early = undisturbed.length / 3;
            channel.write(ByteBuffer.wrap(new byte[] {(byte) (undisturbed[early] + 1)}), early);
        }

        assertThatThrownBy(() -> job("made", FileType.Q8_0, Long.MAX_VALUE, new Ending(0), 1)
                        .run())
                .isInstanceOf(VerificationException.class)
                .hasMessageContaining("is not what was written");
        assertThat(folder.resolve("made.gguf")).doesNotExist();
    }
}
