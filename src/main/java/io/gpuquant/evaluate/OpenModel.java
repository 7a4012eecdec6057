package io.gpuquant.evaluate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.format.AwqConfig;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.CompressedPreset;
import io.gpuquant.format.CompressedScheme;
import io.gpuquant.format.ElementConfig;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.format.GptqConfig;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.PackQuantizedConfig;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.nio.file.Path;
import java.util.Optional;

/** A checkpoint folder of any readable format, ready to be computed with: plain, GPTQ, AWQ, bitsandbytes, FP8 and their kin. */
public final class OpenModel implements ReadableModel {

    private final Checkpoint checkpoint;
    private final ModelStructure structure;
    private final Optional<PackedScheme> scheme;
    private final Optional<ElementScheme> elements;

    private OpenModel(
            Checkpoint checkpoint,
            ModelStructure structure,
            Optional<PackedScheme> scheme,
            Optional<ElementScheme> elements) {
        this.checkpoint = checkpoint;
        this.structure = structure;
        this.scheme = scheme;
        this.elements = elements;
    }

    /**
     * Opens a checkpoint folder.
     *
     * @throws InputException when it is missing, damaged, or of a format that cannot be computed with
     */
    public static OpenModel open(Path folder) {
        ModelConfig config = ModelConfig.read(folder);
        DType weightType = config.dtype().orElse(DType.BF16);
        Optional<ElementScheme> elements = config.quantizationConfig()
                .flatMap(object -> ElementConfig.read(object, folder.resolve("config.json"), weightType));
        Optional<PackedScheme> scheme = elements.isPresent()
                ? Optional.empty()
                : config.quantizationConfig().map(object -> scheme(folder, object));
        Checkpoint checkpoint = Checkpoint.open(folder);
        return new OpenModel(checkpoint, ModelStructure.of(config), scheme, elements);
    }

    /**
     * The scheme that a {@code quantization_config} describes.
     *
     * @throws InputException when it is of a format that cannot be read
     */
    public static PackedScheme scheme(Path folder, ObjectNode object) {
        Path file = folder.resolve("config.json");
        if (GptqConfig.isGptq(object)) {
            return GptqConfig.read(object, file);
        }
        if (AwqConfig.isAwq(object)) {
            return AwqConfig.read(object, file);
        }
        if (PackQuantizedConfig.isCompressedTensors(object)) {
            return PackQuantizedConfig.read(object, file);
        }
        throw new InputException(file + " says that the checkpoint is quantized by "
                + object.path("quant_method").asText("an unknown method")
                + "; only plain, GPTQ, AWQ, bitsandbytes, FP8 and compressed-tensors checkpoints can be computed with");
    }

    /** The files. */
    public Checkpoint checkpoint() {
        return checkpoint;
    }

    /** What the model is. */
    @Override
    public ModelStructure structure() {
        return structure;
    }

    /** The scheme of its quantized linears, if they are integers with zero points. */
    public Optional<PackedScheme> scheme() {
        return scheme;
    }

    /** The scheme of its quantized linears, if they are elements of a narrow type. */
    public Optional<ElementScheme> elements() {
        return elements;
    }

    /** Its format in words, such as {@code F16}, {@code GPTQ 4-bit g128} or {@code AWQ 4-bit g128 GEMM}. */
    @Override
    public String format() {
        return scheme.map(OpenModel::describe)
                .or(() -> elements.map(ElementScheme::describe))
                .orElseGet(() -> structure.config().dtype().map(DType::name).orElse("plain"));
    }

    private static String describe(PackedScheme scheme) {
        String bits = scheme.bits() + "-bit " + (scheme.groupSize() < 0 ? "per channel" : "g" + scheme.groupSize());
        return switch (scheme) {
            case GptqScheme gptq ->
                "GPTQ " + bits + (gptq.descAct() ? " act-order" : "") + (gptq.symmetric() ? "" : " asym");
            case AwqScheme awq -> "AWQ " + bits + " " + awq.version();
            case PackQuantizedScheme packed -> "compressed-tensors " + bits + (packed.symmetric() ? "" : " asym");
        };
    }

    /** Bytes of its tensors. */
    @Override
    public long totalBytes() {
        return checkpoint.totalBytes();
    }

    /** How many weights it has: those of all tensors of its files, or where these hold codes, those that the model calls for. */
    @Override
    public long weightCount() {
        if (scheme.isPresent() || elements.isPresent()) {
            return structure.tensors().stream()
                    .distinct()
                    .mapToLong(tensor -> (long) tensor.rows() * tensor.columns())
                    .sum();
        }
        return checkpoint.tensors().stream()
                .mapToLong(tensor -> tensor.shape().elementCount())
                .sum();
    }

    /** Its structure and weights, to be evaluated on a device. */
    @Override
    public EvaluatedModel evaluated(Device device) {
        return new EvaluatedModel(structure, weights(device), mayBeScaled());
    }

    /** Whether factors that cancel may have been moved between norms and linears, of which the files say nothing. */
    public boolean mayBeScaled() {
        return scheme.filter(form -> !(form instanceof GptqScheme)).isPresent()
                || elements.orElse(null) instanceof CompressedScheme form && form.preset() == CompressedPreset.W8A8;
    }

    /** Magnitudes of the stored scales of its quantized linears: the distances between neighbouring values of weights. */
    @Override
    public MagnitudeHistogram scales() {
        MagnitudeHistogram scales = new MagnitudeHistogram();
        scheme.ifPresent(packed -> structure.linears().stream()
                .map(LinearSpec::name)
                .filter(name -> checkpoint.contains(packed.codes(name)))
                .forEach(name -> addScales(packed.read(this::tensor, name), packed, scales)));
        elements.ifPresent(form -> structure.linears().stream()
                .map(LinearSpec::name)
                .filter(name -> form.holds(this::tensor, name))
                .forEach(name -> {
                    for (float scale : form.read(this::tensor, name).scaleValues()) {
                        scales.add(scale);
                    }
                }));
        return scales;
    }

    private static void addScales(PackedLinear linear, PackedScheme scheme, MagnitudeHistogram scales) {
        for (int group = 0; group < scheme.groups(linear.in()); group++) {
            for (int output = 0; output < linear.out(); output++) {
                scales.add(linear.scale(group, output));
            }
        }
    }

    private Optional<HostTensor> tensor(String name) {
        return checkpoint.find(name).map(info -> checkpoint.tensor(name));
    }

    /** Its weights, for a device. */
    @Override
    public WeightSource weights(Device device) {
        CheckpointWeights plain = new CheckpointWeights(checkpoint, device);
        if (elements.isPresent()) {
            return new ElementWeights(device, this::tensor, elements.get(), plain);
        }
        if (scheme.isEmpty()) {
            return plain;
        }
        DType linearType = structure.config().dtype().orElse(DType.F16);
        return PackedWeights.of(device, this::tensor, scheme.get(), linearType, plain);
    }

    @Override
    public void close() {
        checkpoint.close();
    }
}
