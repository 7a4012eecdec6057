package io.gpuquant.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A checkpoint that a test had made, read by the formulas of the GPTQ format and by nothing of the code under test but its
 * reader of safetensors.
 */
public record MadeCheckpoint(Path folder) {

    /** A JSON file of the folder. */
    public JsonNode json(String file) {
        try {
            return new ObjectMapper().readTree(folder.resolve(file).toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The {@code quantization_config} in config.json. */
    public JsonNode quantizationConfig() {
        return json("config.json").path("quantization_config");
    }

    /** The names of all tensors in the order they are stored. */
    public List<String> names() {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return checkpoint.tensors().stream().map(info -> info.name()).toList();
        }
    }

    /** Type, shape and bytes of a tensor, to be compared with those of another checkpoint. */
    public String content(String tensor) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            HostTensor found = checkpoint.tensor(tensor);
            byte[] bytes = new byte[Math.toIntExact(found.byteSize())];
            found.data().asByteBuffer().get(bytes);
            return found.dtype() + found.shape().toString() + HexFormat.of().formatHex(bytes);
        }
    }

    /** Every file of the folder by its name, with a digest of its content. */
    public Map<String, String> files() {
        Map<String, String> digests = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
                digests.put(file.getFileName().toString(), HexFormat.of().formatHex(digest));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
        return digests;
    }

    /** The values of a tensor that is not quantized. */
    public float[] values(String tensor) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            HostTensor found = checkpoint.tensor(tensor);
            float[] values = new float[Math.toIntExact(found.shape().elementCount())];
            for (int i = 0; i < values.length; i++) {
                values[i] = Elements.floatAt(found.data(), found.dtype(), i);
            }
            return values;
        }
    }

    /** The groups of a linear's input features, {@code g_idx}. */
    public int[] groups(String linear) {
        return words(linear + ".g_idx");
    }

    /**
     * The weights that a quantized linear stands for, [out, in] row by row: {@code scales[g][o] * (q - zero)} with {@code g =
     * g_idx[i]}, codes and zero points being little-endian bit streams, and zero points stored less one in version 1.
     */
    public float[] weights(String linear) {
        int bits = quantizationConfig().path("bits").asInt();
        int offset = quantizationConfig().path("checkpoint_format").asText().equals("gptq") ? 1 : 0;
        int[] groups = groups(linear);
        int[] codes = words(linear + ".qweight");
        int[] zeros = words(linear + ".qzeros");
        float[] scales = values(linear + ".scales");
        int in = groups.length;
        int out = codes.length / (in * bits / 32);
        int zeroWords = out * bits / 32;
        float[] weights = new float[out * in];
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                int code = field(codes, o, out, i, bits);
                int zero = field(zeros, groups[i] * zeroWords, 1, o, bits) + offset & (1 << bits) - 1;
                weights[o * in + i] = scales[groups[i] * out + o] * (code - zero);
            }
        }
        return weights;
    }

    /** Value {@code index} of a bit stream whose words are {@code stride} apart. */
    private static int field(int[] words, int first, int stride, int index, int bits) {
        int value = 0;
        for (int bit = 0; bit < bits; bit++) {
            int position = index * bits + bit;
            value |= (words[first + position / 32 * stride] >>> position % 32 & 1) << bit;
        }
        return value;
    }

    private int[] words(String tensor) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            IntBuffer words = checkpoint
                    .tensor(tensor)
                    .data()
                    .asByteBuffer()
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .asIntBuffer();
            int[] copy = new int[words.remaining()];
            words.get(copy);
            return copy;
        }
    }
}
