package io.gpuquant.job;

import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.ScaleReport;
import io.gpuquant.tensor.DType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Quantizes decoder layers, one after another. A layer is the largest piece that methods differ in: some go through its
 * stages one by one, others must see all of it before they change any of it.
 */
sealed interface LayerQuantizer extends AutoCloseable permits StagewiseQuantizer, AwqLayerQuantizer {

    /**
     * What a layer is calibrated with.
     *
     * @param hidden the residual stream of all tokens before the layer, and after it once it is quantized
     */
    record Inputs(LayerPass pass, ActivationStore hidden) {}

    /**
     * What was found out about a layer.
     *
     * @param scales how the searches for scales went; empty for methods without
     */
    record Reports(List<LinearReport> linears, List<ScaleReport> scales) {}

    /**
     * Quantizes and writes a layer.
     *
     * @param inputs null for methods that need no data
     */
    void quantize(DecoderLayer layer, @Nullable Inputs inputs);

    /** What was reported since the last call. */
    Reports takeReports();

    /** Device memory that quantizing takes at most, besides a layer's weights and the work space of a pass. */
    long workBytes(ModelStructure structure, Chunking chunking, DType operandType);

    @Override
    void close();
}
