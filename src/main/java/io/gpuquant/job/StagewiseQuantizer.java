package io.gpuquant.job;

import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Stage;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Quantizes a layer stage by stage; each stage sees what the quantized stages before it give. */
final class StagewiseQuantizer implements LayerQuantizer {

    private final Function<DecoderLayer, LayerWeights> loader;
    private final StageQuantizer stages;

    /**
     * @param loader gives the weights of a layer as they are in the source
     */
    StagewiseQuantizer(Function<DecoderLayer, LayerWeights> loader, StageQuantizer stages) {
        this.loader = loader;
        this.stages = stages;
    }

    @Override
    public void quantize(DecoderLayer layer, @Nullable Inputs inputs) {
        try (LayerWeights weights = loader.apply(layer)) {
            if (inputs == null) {
                for (Stage.Kind kind : Stage.Kind.values()) {
                    stages.inputsComplete(weights.stage(kind));
                }
            } else {
                inputs.pass().run(weights, inputs.hidden(), stages);
            }
        }
    }

    @Override
    public Reports takeReports() {
        return new Reports(stages.takeReports(), List.of());
    }

    @Override
    public long workBytes(ModelStructure structure, Chunking chunking, DType operandType) {
        long most = 0;
        for (Stage stage : structure.layers().getFirst().stages()) {
            long square = DType.F32.bytes((long) stage.in() * stage.in());
            long weights = DType.F32.bytes((long) stage.in() * stage.out());
            // Gram matrix and Hessian; weights twice, codes, a block's state and its product.
            most = Math.max(most, 2 * square + 2 * weights + weights / 4 + 2 * DType.F32.bytes(128L * stage.out()));
        }
        return most;
    }

    @Override
    public void close() {
        stages.close();
    }
}
