package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.RangeKernels;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageInputs;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntConsumer;

/** Runs the calibration sequences through the original model and keeps the largest magnitude of every input feature. */
final class RangePass {

    private final Device device;
    private final ModelStructure structure;
    private final WeightSource source;
    private final RangeKernels kernels;

    RangePass(Device device, ModelStructure structure, WeightSource source) {
        this.device = device;
        this.structure = structure;
        this.source = source;
        kernels = new RangeKernels(device.stream());
    }

    /**
     * Passes all layers.
     *
     * @param layerDone is told how many layers are done
     * @throws InputException when an input is not finite
     */
    InputRanges run(TokenSequences sequences, IntConsumer layerDone) {
        InputRanges ranges = new InputRanges();
        try (OriginalPass pass = new OriginalPass(device, structure, source, sequences)) {
            for (DecoderLayer layer : structure.layers()) {
                try (Watch watch = new Watch()) {
                    pass.observe(layer, watch);
                    watch.addTo(ranges);
                }
                layerDone.accept(layer.index() + 1);
            }
        }
        return ranges;
    }

    /** The maxima of the stages of a layer. */
    private final class Watch implements StageInputs, AutoCloseable {

        private final Map<String, DeviceMatrix> maxima = new LinkedHashMap<>();

        @Override
        public void input(Stage stage, int chunk, DeviceMatrix x) {
            String name = stage.linears().getFirst().name();
            DeviceMatrix most = maxima.get(name);
            if (most == null) {
                most = DeviceMatrix.allocate(device, "ranges of inputs", DType.F32, 1, stage.in());
                device.stream().clear(most);
                maxima.put(name, most);
            }
            kernels.raiseToColumns(x, most);
        }

        void addTo(InputRanges ranges) {
            maxima.forEach((name, most) -> {
                float[] values = new float[most.columns()];
                device.stream().copyToHost(most, MemorySegment.ofArray(values));
                device.stream().synchronize();
                for (float value : values) {
                    if (!Float.isFinite(value)) {
                        throw new InputException("the input of " + name
                                + " is not finite for some calibration token; the checkpoint is damaged, or its"
                                + " activations do not fit its type");
                    }
                }
                ranges.put(name, values);
            });
        }

        @Override
        public void close() {
            maxima.values().forEach(most -> most.buffer().close());
        }
    }
}
