package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.VerificationException;
import io.gpuquant.evaluate.OpenModel;
import io.gpuquant.format.AwqLinear;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqLinear;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqTensors;
import io.gpuquant.format.PackQuantizedConfig;
import io.gpuquant.format.PackQuantizedLinear;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.format.TensorReader;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.NonFinite;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads a finished checkpoint back, on the processor and by code that shares nothing with what wrote it, and says what is
 * wrong with it.
 */
public final class Verification {

    private final Path folder;

    public Verification(Path folder) {
        this.folder = folder;
    }

    /**
     * What a verification found in order.
     *
     * @param tensors in the checkpoint
     * @param quantizedLinears that were unpacked
     * @param comparedTensors that were compared with the source
     * @param worstWeightError of the linears that were compared with their source, {@code |W - Ŵ|² / |W|²}; zero if none was
     * @param worstLinear the linear with that error; empty if none was compared
     */
    public record Summary(
            int tensors, int quantizedLinears, int comparedTensors, double worstWeightError, String worstLinear) {}

    /**
     * Checks structure and content.
     *
     * @param source the folder of the original checkpoint, to compare with
     * @throws VerificationException when something is wrong; the message names file and tensor
     * @throws InputException when a folder is not a checkpoint at all
     */
    public Summary check(Optional<Path> source) {
        return check(
                source, SideFiles.checksums(folder), "the file changed since it was made, copy or download it again");
    }

    private Summary check(Optional<Path> source, Map<String, Long> checksums, String advice) {
        try (OpenModel model = openModel()) {
            Checkpoint checkpoint = model.checkpoint();
            List<LinearSpec> quantized = List.of();
            if (model.scheme().isPresent()) {
                quantized = checkLinears(model, model.scheme().get());
            }
            if (model.elements().isPresent()) {
                quantized = new ElementVerification(model, model.elements().get()).check();
            }
            checkFloats(checkpoint);
            checkChecksums(checkpoint, checksums, advice);
            if (source.isEmpty()) {
                return new Summary(checkpoint.tensors().size(), quantized.size(), 0, 0, "");
            }
            try (Checkpoint original = original(source.get())) {
                return new SourceComparison(checkpoint, original, model, quantized).compare();
            }
        }
    }

    /** A source whose own weights are FP8 is compared with as it was. */
    static Checkpoint original(Path source) {
        if (!Files.isRegularFile(source.resolve("config.json"))) {
            return Checkpoint.open(source);
        }
        ModelConfig config = ModelConfig.read(source);
        return SourceCheckpoint.open(source, config.quantizationConfig(), config.dtype());
    }

    private OpenModel openModel() {
        try {
            return OpenModel.open(folder);
        } catch (InputException damaged) {
            if (Files.isDirectory(folder) && Files.exists(folder.resolve("config.json"))) {
                throw new VerificationException(damaged.getMessage() == null ? "" : damaged.getMessage(), damaged);
            }
            throw damaged;
        }
    }

    /**
     * Checks that every tensor is what was written.
     *
     * @param checksums CRC-32C of each tensor, by name
     * @return how many were compared
     */
    int checkWritten(Map<String, Long> checksums) {
        return check(Optional.empty(), checksums, "the disk may be failing, delete " + folder + " and run again")
                .tensors();
    }

    private void checkChecksums(Checkpoint checkpoint, Map<String, Long> checksums, String advice) {
        IndependentChecks.check(
                checksums.entrySet(), entry -> checkChecksum(checkpoint, entry.getKey(), entry.getValue(), advice));
    }

    private void checkChecksum(Checkpoint checkpoint, String name, long expected, String advice) {
        if (!checkpoint.contains(name)) {
            throw new VerificationException(folder + " lacks the tensor " + name + ", which was written; " + advice);
        }
        if (TensorOutput.checksum(checkpoint.tensor(name).data()) != expected) {
            throw new VerificationException(checkpoint.fileOf(name) + ": " + name + ", bytes "
                    + checkpoint.positionOf(name) + " to "
                    + (checkpoint.positionOf(name) + checkpoint.info(name).byteSize() - 1)
                    + " of the file, is not what was written; " + advice);
        }
    }

    private List<LinearSpec> checkLinears(OpenModel model, PackedScheme scheme) {
        Checkpoint checkpoint = model.checkpoint();
        TensorReader reader = name -> checkpoint.find(name).map(info -> checkpoint.tensor(name));
        List<LinearSpec> quantized = model.structure().linears().stream()
                .filter(linear -> checkpoint.contains(scheme.codes(linear.name())))
                .toList();
        if (quantized.isEmpty()) {
            throw new VerificationException(folder + " says it is quantized, but no linear of the model is");
        }
        IndependentChecks.check(quantized, spec -> checkLinear(checkpoint, reader, scheme, spec));
        requireAllOrNone(model, quantized);
        if (scheme instanceof PackQuantizedScheme) {
            requireIgnored(model, quantized);
        }
        return quantized;
    }

    private static void checkLinear(Checkpoint checkpoint, TensorReader reader, PackedScheme scheme, LinearSpec spec) {
        String codes = scheme.codes(spec.name());
        PackedLinear linear;
        try {
            linear = scheme.read(reader, spec.name());
        } catch (InputException damaged) {
            throw new VerificationException(checkpoint.fileOf(codes) + ": " + damaged.getMessage(), damaged);
        }
        if (linear.in() != spec.in() || linear.out() != spec.out()) {
            throw new VerificationException(checkpoint.fileOf(codes) + ": " + codes + " is a linear of "
                    + linear.in() + " to " + linear.out() + " features, but config.json calls for " + spec.in() + " to "
                    + spec.out());
        }
        if (checkpoint.contains(spec.weightName())) {
            throw new VerificationException(checkpoint.fileOf(spec.weightName()) + ": " + spec.weightName()
                    + " is there although the linear is quantized; engines would not know which to take");
        }
        if (scheme instanceof PackQuantizedScheme
                && scheme.symmetric()
                && checkpoint.contains(scheme.zeros(spec.name()))) {
            throw new VerificationException(checkpoint.fileOf(scheme.zeros(spec.name())) + ": "
                    + scheme.zeros(spec.name())
                    + " is there although config.json says that grids are symmetric, which vLLM refuses");
        }
        if (linear instanceof GptqLinear gptq) {
            checkGroups(checkpoint, gptq, new GptqTensors(spec.name()));
        }
        checkScales(checkpoint, linear, scheme, spec.name());
    }

    private static void checkGroups(Checkpoint checkpoint, GptqLinear linear, GptqTensors names) {
        GptqScheme scheme = linear.scheme();
        int groups = scheme.groups(linear.in());
        for (int i = 0; i < linear.in(); i++) {
            int group = linear.group(i);
            if (group < 0 || group >= groups) {
                throw damaged(checkpoint, names.groups(), "names group " + group + " of " + groups, i);
            }
            if (!scheme.descAct() && group != i / scheme.groupSize(linear.in())) {
                throw damaged(
                        checkpoint, names.groups(), "is not sequential, although desc_act is false in config.json", i);
            }
        }
    }

    private static void checkScales(Checkpoint checkpoint, PackedLinear linear, PackedScheme scheme, String module) {
        int groups = scheme.groups(linear.in());
        int middle = 1 << scheme.bits() - 1;
        for (int group = 0; group < groups; group++) {
            for (int out = 0; out < linear.out(); out++) {
                float scale = linear.scale(group, out);
                if (!(scale > 0) || !Float.isFinite(scale)) {
                    throw damaged(
                            checkpoint,
                            scheme.scales(module),
                            "holds the scale " + scale,
                            scaleIndex(linear, group, out));
                }
                if (scheme.symmetric() && linear.zero(group, out) != middle) {
                    throw new VerificationException(checkpoint.fileOf(scheme.zeros(module)) + ": "
                            + scheme.zeros(module) + " holds the zero point " + linear.zero(group, out)
                            + ", although sym is true in config.json, for group " + group + " of output feature "
                            + out);
                }
            }
        }
    }

    private static long scaleIndex(PackedLinear linear, int group, int out) {
        return switch (linear) {
            case AwqLinear awq
            when awq.scheme().version() == AwqVersion.GEMV ->
                out * awq.scales().shape().extent(1) + group;
            case PackQuantizedLinear packed -> out * packed.scales().shape().extent(1) + group;
            case AwqLinear awq -> (long) group * awq.out() + out;
            case GptqLinear gptq -> (long) group * gptq.out() + out;
        };
    }

    private static VerificationException damaged(Checkpoint checkpoint, String tensor, String problem, long element) {
        long position = checkpoint.positionOf(tensor)
                + element * checkpoint.info(tensor).dtype().bytes();
        return new VerificationException(checkpoint.fileOf(tensor) + ": " + tensor + " " + problem + " at element "
                + element + ", byte " + position + " of the file");
    }

    /** Engines fuse the linears of a stage, and refuse it when only some are quantized. */
    private void requireAllOrNone(OpenModel model, List<LinearSpec> quantized) {
        model.structure()
                .layers()
                .forEach(layer -> layer.stages().forEach(stage -> {
                    long count =
                            stage.linears().stream().filter(quantized::contains).count();
                    if (count != 0 && count != stage.linears().size()) {
                        throw new VerificationException(folder + ": of " + stage.linears() + " only " + count
                                + " are quantized, which engines that fuse them refuse");
                    }
                }));
    }

    /** Engines of compressed-tensors want every linear packed that config.json does not tell them to leave alone. */
    private void requireIgnored(OpenModel model, List<LinearSpec> quantized) {
        ObjectNode config = model.structure().config().quantizationConfig().orElseThrow();
        model.structure().linears().stream()
                .filter(linear -> !quantized.contains(linear))
                .filter(linear -> !PackQuantizedConfig.isIgnored(config, linear.name()))
                .findFirst()
                .ifPresent(linear -> {
                    throw new VerificationException(folder + ": " + linear.name()
                            + " is not quantized, but quantization_config.ignore does not name it; engines would look for"
                            + " its codes");
                });
    }

    private static void checkFloats(Checkpoint checkpoint) {
        for (TensorInfo info : checkpoint.tensors()) {
            if (info.dtype().isComputeType()) {
                NonFinite.first(checkpoint.tensor(info.name()).data(), info.dtype())
                        .ifPresent(element -> {
                            throw damaged(checkpoint, info.name(), "holds a NaN or an infinity", element);
                        });
            }
        }
    }
}
