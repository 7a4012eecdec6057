package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import java.nio.file.Path;
import java.util.Locale;

/** A model in files of any format that can be computed with. */
public sealed interface ReadableModel extends AutoCloseable permits OpenModel, OpenGguf {

    /**
     * Opens the folder of a checkpoint, or a GGUF file.
     *
     * @throws io.gpuquant.InputException when it is missing, damaged, or of a format that cannot be computed with
     */
    static ReadableModel open(Path path) {
        return isGguf(path) ? OpenGguf.open(path) : OpenModel.open(path);
    }

    /** Whether a path is named as a GGUF file is. */
    static boolean isGguf(Path path) {
        Path name = path.getFileName();
        return name != null && name.toString().toLowerCase(Locale.ROOT).endsWith(".gguf");
    }

    /** What the model is. */
    ModelStructure structure();

    /** Its format in words, such as {@code F16}, {@code GPTQ 4-bit g128} or {@code GGUF Q4_K_M}. */
    String format();

    /** Bytes of its tensors. */
    long totalBytes();

    /** How many weights it has, counted in the tensors of its files; not meaningful where several are packed in one number. */
    long weightCount();

    /** Its weights, for a device. */
    WeightSource weights(Device device);

    /** Its structure and weights, to be evaluated on a device. */
    EvaluatedModel evaluated(Device device);

    /** Magnitudes of the stored scales of its quantized linears; none where scales are not stored as tensors. */
    MagnitudeHistogram scales();

    @Override
    void close();
}
