package io.gpuquant.gguf;

import io.gpuquant.safetensors.SafetensorsFile;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** What ggml made of weights, see the README of the goldens. */
public final class GoldenBlocks {

    /** Rows of the weights. */
    public static final int ROWS = 16;

    /** Columns of the weights. */
    public static final int COLUMNS = 512;

    private static final Path FILE = Path.of("src/test/resources/goldens/gguf/blocks.safetensors");

    private GoldenBlocks() {}

    /** The types that weights are quantized to. */
    public static List<GgmlType> types() {
        return Arrays.stream(GgmlType.values()).filter(GgmlType::isQuantized).toList();
    }

    /** The weights, row by row. */
    public static float[] weights() {
        return floats("input");
    }

    /** A number for each column. */
    public static float[] importance() {
        return floats("imatrix");
    }

    /** The blocks of all rows. Q8_0 searches nothing, so importance changes nothing. */
    public static byte[] blocks(GgmlType type, boolean important) {
        try (SafetensorsFile file = SafetensorsFile.open(FILE)) {
            return file.tensor(type + (important && type != GgmlType.Q8_0 ? ".imatrix" : ""))
                    .data()
                    .toArray(ValueLayout.JAVA_BYTE);
        }
    }

    private static float[] floats(String name) {
        try (SafetensorsFile file = SafetensorsFile.open(FILE)) {
            HostTensor tensor = file.tensor(name);
            return Elements.toFloats(tensor);
        }
    }
}
