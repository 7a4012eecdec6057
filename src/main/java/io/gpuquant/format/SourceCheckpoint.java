package io.gpuquant.format;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Opens checkpoints that are to be quantized. FP8 checkpoints, which some models are published as, are seen as they were: each
 * weight in the model's own type, computed when it is asked for, without its scales. Linears that a checkpoint leaves as they
 * are stay so.
 */
public final class SourceCheckpoint {

    private static final String WEIGHT = ".weight";

    /** What else a linear may have that makes no sense without its codes. */
    private static final List<String> SCALES =
            List.of(".weight_scale", ".weight_scale_inv", ".weight_shape", ".input_scale", ".activation_scale");

    private SourceCheckpoint() {}

    /**
     * Whether a quantized checkpoint can be seen as it was.
     *
     * @param config its {@code quantization_config}
     * @param folder for messages
     */
    public static boolean canRestore(ObjectNode config, Path folder) {
        return scheme(config, folder, DType.BF16).isPresent();
    }

    /**
     * Fails for a checkpoint that is quantized and cannot be seen as it was.
     *
     * @param config its {@code quantization_config}, if it has one
     * @throws InputException that says so
     */
    public static void requirePlainOrFp8(Optional<ObjectNode> config, Path folder) {
        config.filter(existing -> !canRestore(existing, folder)).ifPresent(existing -> {
            throw new InputException(folder + " is already quantized ("
                    + existing.path("quant_method").asText("method not given") + "); give the original checkpoint");
        });
    }

    private static Optional<ElementScheme> scheme(ObjectNode config, Path folder, DType weightType) {
        return ElementConfig.read(config, folder.resolve("config.json"), weightType)
                .filter(scheme -> scheme.codesType() == DType.F8_E4M3);
    }

    /**
     * Opens a checkpoint.
     *
     * @param quantizationConfig its {@code quantization_config}, if it has one
     * @param dtype the type that config.json names
     * @throws InputException when it is damaged
     */
    public static Checkpoint open(Path folder, Optional<ObjectNode> quantizationConfig, Optional<DType> dtype) {
        DType weightType = dtype.filter(DType::isComputeType).orElse(DType.BF16);
        Optional<ElementScheme> scheme = quantizationConfig.flatMap(config -> scheme(config, folder, weightType));
        Checkpoint checkpoint = Checkpoint.open(folder);
        try {
            return scheme.map(found -> restored(checkpoint, found)).orElse(checkpoint);
        } catch (RuntimeException failure) {
            checkpoint.close();
            throw failure;
        }
    }

    private static Checkpoint restored(Checkpoint checkpoint, ElementScheme scheme) {
        TensorReader reader = name -> checkpoint.find(name).map(info -> checkpoint.tensor(name));
        Map<String, Checkpoint.Derived> weights = new HashMap<>();
        Set<String> hidden = new HashSet<>();
        for (TensorInfo info : checkpoint.tensors()) {
            if (!info.name().endsWith(WEIGHT) || info.dtype() != DType.F8_E4M3) {
                continue;
            }
            String module = info.name().substring(0, info.name().length() - WEIGHT.length());
            // Fails here, and not when the weight is needed, where its scales are missing or do not fit.
            if (!(scheme.read(reader, module) instanceof ScaledLinear linear)) {
                throw new InputException(info.name() + " is not a weight of " + scheme.describe());
            }
            weights.put(
                    info.name(),
                    new Checkpoint.Derived(scheme.weightType(), () -> decode(linear, scheme.weightType())));
            for (String scale : SCALES) {
                hidden.add(module + scale);
            }
        }
        return checkpoint.deriving(weights, hidden);
    }

    /** All weights of a linear, rounded to the type that engines compute in. */
    private static MemorySegment decode(ScaledLinear linear, DType dtype) {
        float[] scales = linear.scales().toFloats();
        float[] values = new float[256];
        for (int code = 0; code < values.length; code++) {
            values[code] = linear.type().value(code);
        }
        int in = linear.in();
        HostTensor codes = linear.codes();
        MemorySegment decoded = Arena.ofAuto().allocate(dtype.bytes((long) linear.out() * in), Long.BYTES);
        IntStream.range(0, linear.out()).parallel().forEach(row -> {
            int firstTile = row / linear.scales().tileRows() * linear.across();
            for (int column = 0; column < in; column++) {
                long index = (long) row * in + column;
                float scale = scales[firstTile + column / linear.scales().tileColumns()];
                float value = values[codes.data().get(ValueLayout.JAVA_BYTE, index) & 0xff];
                Elements.setFloat(decoded, dtype, index, value * scale);
            }
        });
        return decoded;
    }
}
