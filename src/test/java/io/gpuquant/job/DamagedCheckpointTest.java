package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.gpuquant.GpuQuantException;
import io.gpuquant.InputException;
import io.gpuquant.VerificationException;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Damage of every byte of the header, and every length that a file can be cut to: a checkpoint is then verified as what it
 * says, or refused in one sentence with the file's name, without taking memory for what a damaged number says.
 */
class DamagedCheckpointTest {

    private static final int WIDTH = 16;

    /** A verification of such a checkpoint takes less than a megabyte; a count believed takes more. */
    private static final long MOST_ALLOCATED = 16L << 20;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @TempDir
    Path folder;

    /** What a byte becomes. */
    @FunctionalInterface
    private interface Damage {
        int of(int value);
    }

    /** Bytes take turns with them: each meets every part of a header somewhere. */
    private static final List<Damage> DAMAGES = List.of(value -> value ^ 1, value -> 0, value -> 0xff);

    static Stream<Optional<PackedScheme>> schemes() {
        return Stream.of(
                Optional.empty(),
                Optional.of(new GptqScheme(4, 8, true, false, GptqVersion.V1)),
                Optional.of(new AwqScheme(8, false, AwqVersion.GEMM)));
    }

    @ParameterizedTest
    @MethodSource("schemes")
    void everyDamagedHeaderIsReadOrRefused(Optional<PackedScheme> scheme) throws IOException {
        Path file = write(scheme);
        int read = 0;
        int runs = 0;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer header = header(channel);
            for (int position = 0; position < header.capacity(); position++) {
                int value = Byte.toUnsignedInt(header.get(position));
                int damaged = DAMAGES.get(position % DAMAGES.size()).of(value);
                if (damaged != value) {
                    put(channel, position, damaged);
                    read += isInOrder() ? 1 : 0;
                    runs++;
                    put(channel, position, value);
                }
            }
        }
        // Names in the metadata, spaces between tokens and the like do not matter.
        assertThat(read).isBetween(1, runs / 5);
        assertThat(isInOrder()).isTrue();
    }

    @ParameterizedTest
    @MethodSource("schemes")
    void everyTruncationIsRefused(Optional<PackedScheme> scheme) throws IOException {
        Path file = write(scheme);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            int header = header(channel).capacity();
            channel.truncate(header + 1L);
            for (int length = header; length >= 0; length--) {
                channel.truncate(length);
                assertThat(isInOrder()).as("%s bytes", length).isFalse();
            }
        }
    }

    /** Whether a verification finds nothing; anything it may find is one sentence. */
    private boolean isInOrder() {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        try {
            new Verification(folder).check(Optional.empty());
            return true;
        } catch (InputException | VerificationException refused) {
            requireSentence(refused);
            return false;
        } finally {
            assertThat(THREADS.getCurrentThreadAllocatedBytes() - before).isLessThan(MOST_ALLOCATED);
        }
    }

    private void requireSentence(GpuQuantException refused) {
        String message = String.valueOf(refused.getMessage());
        if (!message.contains(folder.toString()) || message.contains("\n") || message.length() > 1000) {
            throw new AssertionError("not a sentence about the checkpoint: " + message, refused);
        }
    }

    private static ByteBuffer header(FileChannel channel) throws IOException {
        ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        channel.read(length, 0);
        ByteBuffer header = ByteBuffer.allocate(Math.toIntExact(Long.BYTES + length.getLong(0)));
        channel.read(header, 0);
        return header;
    }

    private static void put(FileChannel channel, int position, int value) throws IOException {
        channel.write(ByteBuffer.wrap(new byte[] {(byte) value}), position);
    }

    /** Writes a model of one layer, of which the linears that stand alone in their stages are quantized. */
    private Path write(Optional<PackedScheme> scheme) throws IOException {
        TinyModel model = new TinyModel().layers(1);
        for (String size : List.of("hidden_size", "intermediate_size", "head_dim", "vocab_size")) {
            model.config(config -> config.put(size, WIDTH));
        }
        model.config(config -> {
            config.put("num_attention_heads", 1).put("num_key_value_heads", 1);
            scheme.ifPresent(packed -> config.putObject("quantization_config")
                    .put("quant_method", packed instanceof GptqScheme ? "gptq" : "awq")
                    .put("bits", packed.bits())
                    .put("group_size", packed.groupSize())
                    .put("sym", packed.symmetric()));
        });
        List<HostTensor> tensors = new ArrayList<>();
        for (HostTensor tensor : model.tensors()) {
            String module = tensor.name().replace(".weight", "");
            if (scheme.isPresent() && (module.endsWith("o_proj") || module.endsWith("down_proj"))) {
                scheme.get().specs(module, WIDTH, WIDTH).forEach(spec -> tensors.add(packed(spec)));
            } else {
                tensors.add(tensor);
            }
        }
        Path written = model.write(folder.resolve("model"));
        Files.copy(written.resolve("config.json"), folder.resolve("config.json"));
        TestCheckpoints.write(folder.resolve("weights"), tensors);
        return Files.move(folder.resolve("weights/model.safetensors"), folder.resolve("model.safetensors"));
    }

    /** Scales of one; words of sevens, which stand for the zero point 8 in GPTQ; groups in their order. */
    private static HostTensor packed(TensorSpec spec) {
        MemorySegment data = MemorySegment.ofArray(new byte[Math.toIntExact(spec.byteSize())]);
        long count = spec.shape().elementCount();
        for (long i = 0; i < count; i++) {
            if (spec.dtype() == DType.F16) {
                Elements.setFloat(data, DType.F16, i, 1);
            } else {
                int value = spec.name().endsWith("g_idx") ? (int) i / 8 : 0x7777_7777;
                data.set(Elements.INT, i * Integer.BYTES, value);
            }
        }
        return new HostTensor(spec.name(), spec.dtype(), spec.shape(), data);
    }
}
