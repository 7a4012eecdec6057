package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.kernels.CheckKernels;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.llamacpp.GgufModel;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/** The weights of a model in GGUF files, dequantized on the processor on their way to the device. */
final class GgufWeights implements WeightSource {

    private static final int WEIGHTS_AT_A_TIME = 1 << 22;

    private final GgufModel model;
    private final Device device;
    private final ConvertKernels convert;
    private final CheckKernels check;

    GgufWeights(GgufModel model, Device device) {
        this.model = model;
        this.device = device;
        convert = new ConvertKernels(device.stream());
        check = new CheckKernels(device);
    }

    /** Blocks stand for float16 scales times small integers, so that is the type they were meant for. */
    @Override
    public DType dtype(String tensor) {
        GgmlType type = find(tensor).stored().type();
        return type.isQuantized() ? DType.F16 : DType.valueOf(type.name());
    }

    @Override
    public void require(String tensor, int rows, int columns) {
        GgufModel.Tensor found = find(tensor);
        if (found.rows() != rows || found.columns() != columns) {
            throw new InputException(
                    model.set().first().path() + ": " + found.stored().name() + " has shape "
                            + found.stored().shape() + ", but the metadata call for [" + rows + ", " + columns
                            + "]; get the file again");
        }
    }

    private GgufModel.Tensor find(String tensor) {
        return model.find(tensor)
                .orElseThrow(() -> new InputException(
                        model.set().first().path() + " has nothing for " + tensor + "; get the file again"));
    }

    @Override
    public void load(String tensor, DeviceMatrix target) {
        require(tensor, target.rows(), target.columns());
        GgufModel.Tensor source = find(tensor);
        int slab = Math.clamp(WEIGHTS_AT_A_TIME / target.columns(), 1, target.rows());
        for (int first = 0; first < target.rows(); first += slab) {
            load(source, first, target.rows(first, Math.min(slab, target.rows() - first)));
        }
        OptionalLong bad = check.firstNonFinite(target);
        if (bad.isPresent()) {
            throw new InputException(model.set().fileOf(source.stored()).path() + ": "
                    + source.stored().name() + " holds a NaN or an infinity at element " + bad.getAsLong()
                    + "; the file is damaged, or its values do not fit " + target.dtype());
        }
    }

    private void load(GgufModel.Tensor source, int first, DeviceMatrix target) {
        int columns = target.columns();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment values = arena.allocate(DType.F32.bytes(target.elementCount()), Float.BYTES);
            IntStream.range(0, target.rows()).parallel().forEach(row -> {
                float[] weights = new float[columns];
                source.read(first + row, weights);
                MemorySegment.copy(
                        weights, 0, values, ValueLayout.JAVA_FLOAT, (long) row * columns * Float.BYTES, columns);
            });
            if (target.dtype() == DType.F32) {
                device.stream().copyToDevice(values, target);
                return;
            }
            DeviceMatrix raw = DeviceMatrix.allocate(device, "dequantized weights", DType.F32, target.rows(), columns);
            try (var buffer = raw.buffer()) {
                device.stream().copyToDevice(values, raw);
                convert.convert(raw, target);
            }
        }
    }
}
