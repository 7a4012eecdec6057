package io.gpuquant.model;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.CheckKernels;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;

/** The weights of a checkpoint that holds them as they are. */
public final class CheckpointWeights implements WeightSource {

    private final Checkpoint checkpoint;
    private final Device device;
    private final ConvertKernels convert;
    private final CheckKernels check;

    public CheckpointWeights(Checkpoint checkpoint, Device device) {
        this.checkpoint = checkpoint;
        this.device = device;
        convert = new ConvertKernels(device.stream());
        check = new CheckKernels(device);
    }

    @Override
    public DType dtype(String tensor) {
        return requireFloat(tensor).dtype();
    }

    @Override
    public void require(String tensor, int rows, int columns) {
        requireShape(requireFloat(tensor), rows, columns);
    }

    @Override
    public void load(String tensor, DeviceMatrix target) {
        TensorInfo info = requireFloat(tensor);
        requireShape(info, target.rows(), target.columns());
        HostTensor host = checkpoint.tensor(tensor);
        if (info.dtype() == target.dtype()) {
            device.stream().copyToDevice(host.data(), target);
        } else {
            DeviceMatrix raw = DeviceMatrix.allocate(device, tensor, info.dtype(), target.rows(), target.columns());
            try (var buffer = raw.buffer()) {
                device.stream().copyToDevice(host.data(), raw);
                convert.convert(raw, target);
            }
        }
        requireFinite(tensor, target);
    }

    @Override
    public void anticipate(String tensor, Prefetcher prefetcher) {
        prefetcher.touch(tensor, checkpoint.tensor(tensor).data());
    }

    @Override
    public Arrival begin(String tensor, DeviceMatrix target, Prefetcher prefetcher) {
        TensorInfo info = requireFloat(tensor);
        requireShape(info, target.rows(), target.columns());
        MemorySegment data = checkpoint.tensor(tensor).data();
        if (info.dtype() == target.dtype()) {
            Prefetcher.Copy copy = prefetcher.copy(tensor, data, target);
            return () -> {
                copy.await();
                requireFinite(tensor, target);
            };
        }
        DeviceMatrix raw = DeviceMatrix.allocate(device, tensor, info.dtype(), target.rows(), target.columns());
        Prefetcher.Copy copy = prefetcher.copy(tensor, data, raw);
        return new Arrival() {
            @Override
            public void complete() {
                copy.await();
                convert.convert(raw, target);
                close();
                requireFinite(tensor, target);
            }

            @Override
            public void close() {
                raw.buffer().close();
            }
        };
    }

    private TensorInfo requireFloat(String tensor) {
        TensorInfo info = checkpoint
                .find(tensor)
                .orElseThrow(() -> new InputException(checkpoint.directory() + " has no tensor " + tensor
                        + ", which its config.json calls for; download the checkpoint again"));
        if (!info.dtype().isComputeType()) {
            throw new InputException(checkpoint.fileOf(tensor) + ": " + tensor + " is of type " + info.dtype()
                    + "; only F32, F16 and BF16 weights can be computed with");
        }
        return info;
    }

    /** A matrix of one row may be stored as a vector or as a matrix. */
    private void requireShape(TensorInfo info, int rows, int columns) {
        Shape expected = rows == 1 && info.shape().rank() != 2 ? Shape.of(columns) : Shape.of(rows, columns);
        if (!info.shape().equals(expected)) {
            throw new InputException(checkpoint.fileOf(info.name()) + ": " + info.name() + " has shape " + info.shape()
                    + ", but config.json calls for " + expected
                    + "; use the config.json that came with the checkpoint");
        }
    }

    private void requireFinite(String tensor, DeviceMatrix loaded) {
        OptionalLong bad = check.firstNonFinite(loaded);
        if (bad.isPresent()) {
            throw new InputException(checkpoint.fileOf(tensor) + ": " + tensor
                    + " holds a NaN or an infinity at element " + bad.getAsLong()
                    + "; the checkpoint is damaged, or its values do not fit " + loaded.dtype());
        }
    }
}
