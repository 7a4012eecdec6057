package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The weights of a quantized checkpoint: packed linears are unpacked on the device, everything else comes from another
 * source. What differs between layouts is in the subclasses.
 *
 * @param <L> a linear as its layout has it
 */
abstract class PackedLinearWeights<L extends PackedLinear> implements WeightSource {

    private static final String WEIGHT = ".weight";

    private final Device device;
    private final DType linearType;
    private final WeightSource others;

    /**
     * @param linearType the type that the linears' weights had before they were quantized
     * @param others gives the tensors that are not quantized
     */
    PackedLinearWeights(Device device, DType linearType, WeightSource others) {
        this.device = device;
        this.linearType = linearType;
        this.others = others;
    }

    /** Whether the checkpoint has the codes of a linear. */
    abstract boolean isPacked(String module);

    /** Reads a linear. */
    abstract L read(String module);

    /** The name of the tensor with the scales of a linear, for messages. */
    abstract String scalesName(String module);

    /** Groups of input features. */
    abstract int groups(L linear);

    /**
     * Computes the weight of a linear.
     *
     * @param room frees what is allocated in it
     * @param target [out, in]
     */
    abstract void dequantize(L linear, String module, Room room, DeviceMatrix target);

    @Override
    public final DType dtype(String tensor) {
        return isQuantized(tensor) ? linearType : others.dtype(tensor);
    }

    @Override
    public final void require(String tensor, int rows, int columns) {
        if (isQuantized(tensor)) {
            read(tensor, rows, columns);
        } else {
            others.require(tensor, rows, columns);
        }
    }

    @Override
    public final void load(String tensor, DeviceMatrix target) {
        if (!isQuantized(tensor)) {
            others.load(tensor, target);
            return;
        }
        L linear = read(tensor, target.rows(), target.columns());
        requireFiniteScales(linear, module(tensor));
        try (Room room = new Room(device)) {
            dequantize(linear, module(tensor), room, target);
        }
    }

    private L read(String tensor, int rows, int columns) {
        L linear = read(module(tensor));
        if (linear.out() != rows || linear.in() != columns) {
            throw new InputException(tensor + " is quantized as " + linear.in() + " to " + linear.out()
                    + " features, but config.json calls for " + columns + " to " + rows
                    + "; use the config.json that came with the checkpoint");
        }
        return linear;
    }

    private void requireFiniteScales(L linear, String module) {
        for (int group = 0; group < groups(linear); group++) {
            for (int i = 0; i < linear.out(); i++) {
                if (!Float.isFinite(linear.scale(group, i))) {
                    throw new InputException(scalesName(module) + " holds a NaN or an infinity for group " + group
                            + " of output feature " + i + "; the checkpoint is damaged");
                }
            }
        }
    }

    private boolean isQuantized(String tensor) {
        return tensor.endsWith(WEIGHT) && isPacked(module(tensor));
    }

    private static String module(String tensor) {
        return tensor.substring(0, tensor.length() - WEIGHT.length());
    }

    /** Device memory for the parts of a linear while it is unpacked. */
    static final class Room implements AutoCloseable {

        private final Device device;
        private final List<DeviceBuffer> owned = new ArrayList<>();

        private Room(Device device) {
            this.device = device;
        }

        DeviceMatrix allocate(String name, DType dtype, int rows, int columns) {
            DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
            owned.add(matrix.buffer());
            return matrix;
        }

        /** A tensor of two dimensions. */
        DeviceMatrix upload(HostTensor tensor) {
            return upload(tensor, Math.toIntExact(tensor.shape().extent(0)));
        }

        /** A tensor as so many rows. */
        DeviceMatrix upload(HostTensor tensor, int rows) {
            int columns = Math.toIntExact(tensor.shape().elementCount() / rows);
            DeviceMatrix matrix = allocate(tensor.name(), tensor.dtype(), rows, columns);
            device.stream().copyToDevice(tensor.data(), matrix);
            return matrix;
        }

        @Override
        public void close() {
            owned.forEach(DeviceBuffer::close);
        }
    }
}
