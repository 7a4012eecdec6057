package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/** Runs methods on stages made of arrays. */
final class StageLab implements AutoCloseable {

    private final Device device;

    StageLab(Device device) {
        this.device = device;
    }

    /** On the device of the product, with one thread. */
    static StageLab fast() {
        return fast(1);
    }

    static StageLab fast(int threads) {
        return new StageLab(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, threads)));
    }

    /** On a device that faults where a kernel reads what was never written, or two of its threads race. */
    static StageLab checked() {
        return new StageLab(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), MachineOptions.checked()));
    }

    Device device() {
        return device;
    }

    StageOutcome gptq(SyntheticStage stage, GptqOptions options) {
        return gptq(stage, options, CodeLayout.BYTES);
    }

    StageOutcome gptq(SyntheticStage stage, GptqOptions options, CodeLayout layout) {
        return run(stage, on -> new GptqMethod(on, options, layout));
    }

    /** Quantizes with a Gram matrix of which the part below the diagonal is not set, as the device's products leave it. */
    StageOutcome run(SyntheticStage stage, Function<Device, QuantizationMethod> method) {
        DeviceMatrix weights = floats("weights to quantize", stage.rows(), stage.in(), stage.weights());
        DeviceMatrix gram = floats("Gram matrix", stage.in(), stage.in(), upper(stage));
        try (var weightBuffer = weights.buffer();
                var gramBuffer = gram.buffer();
                QuantizedStage result = method.apply(device).quantize(task(stage, weights, gram))) {
            return read(result, stage.outputs());
        }
    }

    static StageTask task(SyntheticStage stage, DeviceMatrix weights, DeviceMatrix gram) {
        return new StageTask(names(stage), stage.outputs(), weights, gram);
    }

    static List<String> names(SyntheticStage stage) {
        return IntStream.range(0, stage.outputs().size())
                .mapToObj(i -> "linear." + i)
                .toList();
    }

    private static float[] upper(SyntheticStage stage) {
        float[] upper = stage.gram().clone();
        for (int row = 0; row < stage.in(); row++) {
            for (int column = 0; column < row; column++) {
                upper[row * stage.in() + column] = Float.NaN;
            }
        }
        return upper;
    }

    DeviceMatrix floats(String name, int rows, int columns, float... values) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, DType.F32, rows, columns);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    /** All of a buffer. */
    static DeviceMatrix matrix(DeviceBuffer buffer, int rows, int columns) {
        return DeviceMatrix.of(buffer, DType.F32, rows, columns);
    }

    private StageOutcome read(QuantizedStage stage, List<Integer> outputs) {
        byte[] zeros = bytes(stage.zeros());
        short[] scales = new short[(int) stage.scales().elementCount()];
        device.stream().copyToHost(stage.scales(), MemorySegment.ofArray(scales));
        device.stream().synchronize();
        float[] wide = new float[scales.length];
        int[] points = new int[zeros.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = Float.float16ToFloat(scales[i]);
            points[i] = Byte.toUnsignedInt(zeros[i]);
        }
        return new StageOutcome(
                stage.scales().columns(),
                stage.codes() instanceof StageCodes.Words,
                codes(stage, outputs),
                wide,
                points,
                stage.groupIndex(),
                stage.reports());
    }

    /** Codes in the order of the input features. */
    private int[] codes(QuantizedStage stage, List<Integer> outputs) {
        int in = stage.groupIndex().length;
        int[] codes = new int[stage.scales().columns() * in];
        switch (stage.codes()) {
            case StageCodes.Bytes bytes -> {
                byte[] values = bytes(bytes.matrix());
                for (int i = 0; i < codes.length; i++) {
                    codes[i] = Byte.toUnsignedInt(values[i / in * in + bytes.positions()[i % in]]);
                }
            }
            case StageCodes.Words words -> unpack(words, outputs, in, codes);
        }
        return codes;
    }

    private void unpack(StageCodes.Words words, List<Integer> outputs, int in, int[] codes) {
        int bits = words.wordsOfOutput() * Integer.SIZE / in;
        int first = 0;
        for (int out : outputs) {
            DeviceMatrix linear = words.linear(first, out);
            int[] values = new int[(int) linear.elementCount()];
            device.stream().copyToHost(linear, MemorySegment.ofArray(values));
            device.stream().synchronize();
            for (int row = 0; row < out; row++) {
                for (int bit = 0; bit < in * bits; bit++) {
                    int value = values[bit / Integer.SIZE * out + row] >>> bit % Integer.SIZE & 1;
                    codes[(first + row) * in + bit / bits] |= value << bit % bits;
                }
            }
            first += out;
        }
    }

    private byte[] bytes(DeviceMatrix matrix) {
        byte[] values = new byte[(int) matrix.elementCount()];
        device.stream().copyToHost(matrix, MemorySegment.ofArray(values));
        device.stream().synchronize();
        return values;
    }

    @Override
    public void close() {
        device.close();
    }
}
