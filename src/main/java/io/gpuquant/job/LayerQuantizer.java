package io.gpuquant.job;

import io.gpuquant.model.DecoderLayer;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.ScaleReport;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Quantizes decoder layers, one after another. A layer is the largest piece that methods differ in: some go through its
 * stages one by one, others must see all of it before they change any of it.
 */
sealed interface LayerQuantizer extends AutoCloseable permits StagewiseQuantizer, AwqLayerQuantizer {

    /**
     * What was found out about a layer.
     *
     * @param scales how the searches for scales went; empty for methods without
     */
    record Reports(List<LinearReport> linears, List<ScaleReport> scales) {}

    /**
     * Quantizes and writes a layer.
     *
     * @param pass the calibration sequences before the layer, which are passed through it; null for methods that need none
     */
    void quantize(DecoderLayer layer, @Nullable CalibrationPass pass);

    /** What was reported since the last call. */
    Reports takeReports();

    @Override
    void close();
}
