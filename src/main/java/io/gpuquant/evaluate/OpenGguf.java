package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.llamacpp.GgufModel;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import java.nio.file.Path;

/** A model in GGUF files, ready to be computed with. */
final class OpenGguf implements ReadableModel {

    private final GgufModel model;

    private OpenGguf(GgufModel model) {
        this.model = model;
    }

    /**
     * Opens a file, or all files of a set.
     *
     * @throws io.gpuquant.InputException when it is missing, damaged, or holds no model that gpuquant computes
     */
    static OpenGguf open(Path path) {
        return new OpenGguf(GgufModel.open(path));
    }

    @Override
    public ModelStructure structure() {
        return model.structure();
    }

    @Override
    public String format() {
        return "GGUF"
                + model.set()
                        .first()
                        .whole("general.file_type")
                        .flatMap(FileType::withId)
                        .map(type -> " " + type)
                        .orElse("");
    }

    @Override
    public long totalBytes() {
        return model.set().tensors().stream().mapToLong(GgufTensor::byteSize).sum();
    }

    @Override
    public long weightCount() {
        return model.set().tensors().stream().mapToLong(GgufTensor::elements).sum();
    }

    @Override
    public WeightSource weights(Device device) {
        return new GgufWeights(model, device);
    }

    @Override
    public EvaluatedModel evaluated(Device device) {
        return new EvaluatedModel(structure(), weights(device));
    }

    @Override
    public MagnitudeHistogram scales() {
        return new MagnitudeHistogram();
    }

    @Override
    public void close() {
        model.close();
    }
}
