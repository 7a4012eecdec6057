package io.gpuquant.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.evaluate.OpenModel;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A quantized checkpoint that is to be converted, of a model of any family: its linears are those that have codes.
 *
 * @param config config.json
 * @param linears in the order of their codes in the files
 */
record ConversionSource(
        Path folder,
        ObjectNode config,
        Checkpoint checkpoint,
        PackedScheme scheme,
        List<LinearSpec> linears,
        Survey survey)
        implements AutoCloseable {

    /**
     * What layouts differ in being able to hold.
     *
     * @param symmetric whether every zero point is in the middle of the codes
     * @param inexactInF16 names a scale that is not an F16 number, if there is one
     * @param inexactInBf16 names a scale that is not a BF16 number, if there is one
     */
    record Survey(boolean symmetric, Optional<String> inexactInF16, Optional<String> inexactInBf16) {

        private Survey and(Survey other) {
            return new Survey(
                    symmetric && other.symmetric,
                    inexactInF16.or(other::inexactInF16),
                    inexactInBf16.or(other::inexactInBf16));
        }
    }

    /**
     * Opens a folder and reads all scales and zero points.
     *
     * @throws InputException when it is not quantized, damaged, or of a kind that cannot be converted
     */
    static ConversionSource open(Path folder) {
        Checkpoint checkpoint = Checkpoint.open(folder);
        try {
            ObjectNode config = readConfig(folder);
            if (!(config.path("quantization_config") instanceof ObjectNode quantization)) {
                throw new InputException(
                        folder + " is not quantized; quantize it with gpuquant awq, gpuquant gptq or gpuquant rtn");
            }
            if (SourceCheckpoint.canRestore(quantization, folder)) {
                throw new InputException(folder
                        + " is an FP8 checkpoint, whose weights no layout of integer codes holds; dequantize it with"
                        + " --to safetensors");
            }
            PackedScheme scheme = OpenModel.scheme(folder, quantization);
            requireUndamaged(checkpoint);
            if (scheme instanceof GptqScheme gptq && gptq.descAct()) {
                throw new InputException(folder + " was quantized with act-order (desc_act): its groups are not runs of"
                        + " consecutive input features, which other layouts want; quantize it without --desc-act, or with"
                        + " --static-groups");
            }
            String suffix = scheme.codes("");
            List<String> modules = checkpoint.tensors().stream()
                    .map(TensorInfo::name)
                    .filter(name -> name.endsWith(suffix))
                    .map(name -> name.substring(0, name.length() - suffix.length()))
                    .toList();
            if (modules.isEmpty()) {
                throw new InputException(folder + " says it is quantized, but has no tensor that ends in " + suffix
                        + "; download it again");
            }
            modules.stream()
                    .filter(module -> module.endsWith("lm_head"))
                    .findFirst()
                    .ifPresent(head -> {
                        throw new InputException(
                                folder + " has a quantized output head, " + head
                                        + ", which loaders of other layouts do not expect; quantize the original checkpoint instead");
                    });
            List<LinearSpec> linears = modules.stream()
                    .map(module -> {
                        PackedLinear linear = read(checkpoint, scheme, module);
                        return new LinearSpec(module, linear.in(), linear.out(), checkpoint.contains(module + ".bias"));
                    })
                    .toList();
            Survey survey = linears.parallelStream()
                    .map(linear -> survey(read(checkpoint, scheme, linear.name()), scheme, linear.name()))
                    .reduce(Survey::and)
                    .orElseThrow();
            return new ConversionSource(folder, config, checkpoint, scheme, linears, survey);
        } catch (RuntimeException | Error failure) {
            checkpoint.close();
            throw failure;
        }
    }

    /** A copy of a damaged tensor would pass for a good one: it would get a checksum of its own. */
    private static void requireUndamaged(Checkpoint checkpoint) {
        SideFiles.checksums(checkpoint.directory()).forEach((name, expected) -> {
            if (!checkpoint.contains(name)
                    || TensorOutput.checksum(checkpoint.tensor(name).data()) != expected) {
                throw new InputException(checkpoint.directory() + ": the tensor " + name
                        + " is missing or not what was written; copy or download the checkpoint again");
            }
        });
    }

    private static PackedLinear read(Checkpoint checkpoint, PackedScheme scheme, String module) {
        return scheme.read(name -> checkpoint.find(name).map(info -> checkpoint.tensor(name)), module);
    }

    private static Survey survey(PackedLinear linear, PackedScheme scheme, String module) {
        int groups = scheme.groups(linear.in());
        for (int i = 0; i < linear.in(); i++) {
            if (linear.group(i) != i / scheme.groupSize(linear.in())) {
                throw new InputException(module + ": input feature " + i + " is in group " + linear.group(i)
                        + ", although config.json says that groups are runs of consecutive ones; the checkpoint is"
                        + " damaged");
            }
        }
        boolean symmetric = true;
        String inexactInF16 = null;
        String inexactInBf16 = null;
        int middle = 1 << scheme.bits() - 1;
        for (int group = 0; group < groups; group++) {
            for (int out = 0; out < linear.out(); out++) {
                float scale = linear.scale(group, out);
                if (!(scale > 0) || !Float.isFinite(scale)) {
                    throw new InputException(scheme.scales(module) + " holds the scale " + scale + " for group " + group
                            + " of output feature " + out + "; the checkpoint is damaged");
                }
                symmetric &= linear.zero(group, out) == middle;
                if (inexactInF16 == null && Float.float16ToFloat(Float.floatToFloat16(scale)) != scale) {
                    inexactInF16 = scheme.scales(module) + " holds the scale " + scale;
                }
                if (inexactInBf16 == null && BFloat16.toFloat(BFloat16.fromFloat(scale)) != scale) {
                    inexactInBf16 = scheme.scales(module) + " holds the scale " + scale;
                }
            }
        }
        return new Survey(symmetric, Optional.ofNullable(inexactInF16), Optional.ofNullable(inexactInBf16));
    }

    private static ObjectNode readConfig(Path folder) {
        Path file = folder.resolve("config.json");
        try {
            JsonNode root = new ObjectMapper().readTree(file.toFile());
            if (root instanceof ObjectNode object) {
                return object;
            }
            throw new InputException(file + " is not a JSON object; download it again");
        } catch (IOException unreadable) {
            throw new InputException(
                    file + " is missing or not valid JSON (" + unreadable.getMessage() + "); download it again",
                    unreadable);
        }
    }

    /** A linear, unpacked value by value. */
    PackedLinear linear(String module) {
        return read(checkpoint, scheme, module);
    }

    /** The type that config.json says the model is of; F16 if it does not say. */
    DType modelType() {
        String name = config.path("dtype").asText(config.path("torch_dtype").asText(""));
        return name.equals("bfloat16") ? DType.BF16 : DType.F16;
    }

    @Override
    public void close() {
        checkpoint.close();
    }
}
