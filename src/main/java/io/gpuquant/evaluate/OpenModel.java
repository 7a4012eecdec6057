package io.gpuquant.evaluate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.format.GptqConfig;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.Optional;

/** A checkpoint of any readable format, ready to be computed with: plain or GPTQ. */
public final class OpenModel implements AutoCloseable {

    private final Checkpoint checkpoint;
    private final ModelStructure structure;
    private final Optional<GptqScheme> gptq;

    private OpenModel(Checkpoint checkpoint, ModelStructure structure, Optional<GptqScheme> gptq) {
        this.checkpoint = checkpoint;
        this.structure = structure;
        this.gptq = gptq;
    }

    /**
     * Opens a checkpoint folder.
     *
     * @throws InputException when it is missing, damaged, or of a format that cannot be computed with
     */
    public static OpenModel open(Path folder) {
        ModelConfig config = ModelConfig.read(folder);
        Optional<GptqScheme> gptq = config.quantizationConfig().map(object -> scheme(folder, object));
        Checkpoint checkpoint = Checkpoint.open(folder);
        return new OpenModel(checkpoint, ModelStructure.of(config), gptq);
    }

    private static GptqScheme scheme(Path folder, ObjectNode object) {
        Path file = folder.resolve("config.json");
        if (!GptqConfig.isGptq(object)) {
            throw new InputException(file + " says that the checkpoint is quantized by "
                    + object.path("quant_method").asText("an unknown method")
                    + "; only plain and GPTQ checkpoints can be computed with");
        }
        return GptqConfig.read(object, file);
    }

    /** The files. */
    public Checkpoint checkpoint() {
        return checkpoint;
    }

    /** What the model is. */
    public ModelStructure structure() {
        return structure;
    }

    /** The scheme of its quantized linears, if it is a GPTQ checkpoint. */
    public Optional<GptqScheme> gptq() {
        return gptq;
    }

    /** Its format in words, such as {@code F16} or {@code GPTQ 4-bit g128}. */
    public String format() {
        return gptq.map(scheme -> "GPTQ " + scheme.bits() + "-bit "
                        + (scheme.groupSize() < 0 ? "per channel" : "g" + scheme.groupSize())
                        + (scheme.descAct() ? " act-order" : "")
                        + (scheme.symmetric() ? "" : " asym"))
                .orElseGet(() -> structure.config().dtype().map(DType::name).orElse("plain"));
    }

    /** How many weights it has, counted in the tensors of its files; meaningful for a plain checkpoint. */
    public long weightCount() {
        return checkpoint.tensors().stream()
                .mapToLong(tensor -> tensor.shape().elementCount())
                .sum();
    }

    /** Its weights, for a device. */
    public WeightSource weights(Device device) {
        CheckpointWeights plain = new CheckpointWeights(checkpoint, device);
        if (gptq.isEmpty()) {
            return plain;
        }
        DType linearType = structure.config().dtype().orElse(DType.F16);
        return new GptqWeights(
                device,
                name -> checkpoint.find(name).map(info -> checkpoint.tensor(name)),
                gptq.get(),
                linearType,
                plain);
    }

    @Override
    public void close() {
        checkpoint.close();
    }
}
