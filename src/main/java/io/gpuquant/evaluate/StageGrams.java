package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageInputs;
import io.gpuquant.tensor.DType;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The Gram matrices {@code XᵀX} of the inputs of a layer's stages over all tokens. */
final class StageGrams implements StageInputs, AutoCloseable {

    private final Device device;
    private final Map<Stage, DeviceMatrix> grams = new LinkedHashMap<>();

    StageGrams(Device device) {
        this.device = device;
    }

    @Override
    public void input(Stage stage, int chunk, DeviceMatrix x) {
        device.blas().addGram(device.stream(), x, grams.computeIfAbsent(stage, this::cleared));
    }

    private DeviceMatrix cleared(Stage stage) {
        DeviceMatrix gram = DeviceMatrix.allocate(device, "Gram matrix", DType.F32, stage.in(), stage.in());
        device.stream().clear(gram);
        return gram;
    }

    /** Ends the collection. */
    void complete() {
        HessianKernels kernels = new HessianKernels(device.stream());
        grams.values().forEach(kernels::symmetrize);
    }

    /** F32 [in, in], symmetric; empty for a stage that no token came to, as an expert may be. */
    Optional<DeviceMatrix> of(Stage stage) {
        return Optional.ofNullable(grams.get(stage));
    }

    @Override
    public void close() {
        grams.values().forEach(gram -> gram.buffer().close());
    }
}
