package io.gpuquant.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** Makes safetensors files by hand, right or wrong, and checks how they are refused. */
final class RawFiles {

    private RawFiles() {}

    /** The bytes of a file with this header and this many data bytes, which count up from zero. */
    static byte[] bytes(String header, int dataBytes) {
        return bytes(header.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    static byte[] bytes(byte[] header, int dataBytes) {
        ByteBuffer file = ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(header.length).put(header);
        for (int i = 0; i < dataBytes; i++) {
            file.put((byte) i);
        }
        return file.array();
    }

    static Path write(Path path, String header, int dataBytes) throws IOException {
        return Files.write(path, bytes(header, dataBytes));
    }

    /** The header entry of a tensor. */
    static String entry(String name, String dtype, String shape, String offsets) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}".formatted(name, dtype, shape, offsets);
    }

    /** Checks that the action fails with one sentence about the user's file that says all of {@code parts}. */
    static void assertRefused(ThrowingCallable action, String... parts) {
        Throwable thrown = catchThrowable(action);

        assertThat(thrown).isExactlyInstanceOf(InputException.class);
        assertThat(thrown.getMessage())
                .contains(parts)
                .as("one sentence that also says what to do")
                .contains("; ")
                .doesNotContain("\n")
                .hasSizeLessThan(1000);
    }
}
