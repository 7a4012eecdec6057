package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The weight of one linear of a reference, and what another model's is away from it. Some rows at a time are on the host. */
final class WeightDifference implements AutoCloseable {

    private static final int SLAB_ELEMENTS = 1 << 20;

    /** Weights of a linear that histograms count, about: whole rows, evenly spread. */
    private static final int COUNTED = 1 << 20;

    private final Device device;
    private final DeviceMatrix gram;
    private final List<DeviceBuffer> owned = new ArrayList<>();
    private final LinearSpec linear;
    private final DeviceMatrix reference;
    private final DeviceMatrix other;
    private final DeviceMatrix products;
    private final int slabRows;
    private final float[] theirs;
    private final float[] ours;

    /** Loads the reference's weight. @param gram F32 [in, in], symmetric */
    WeightDifference(Device device, LinearSpec linear, DeviceMatrix gram, WeightSource source) {
        this.device = device;
        this.linear = linear;
        this.gram = gram;
        slabRows = Math.clamp(SLAB_ELEMENTS / linear.in(), 1, linear.out());
        theirs = new float[slabRows * linear.in()];
        ours = new float[slabRows * linear.in()];
        boolean complete = false;
        try {
            reference = allocate("weights of the reference");
            other = allocate("weights to compare");
            products = allocate("weights times Gram matrix");
            source.load(linear.weightName(), reference);
            complete = true;
        } finally {
            if (!complete) {
                close();
            }
        }
    }

    private DeviceMatrix allocate(String name) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, DType.F32, linear.out(), linear.in());
        owned.add(matrix.buffer());
        return matrix;
    }

    /** {@code tr(W G Wᵀ)} of the reference's weight; counts it. */
    double reference(MagnitudeHistogram weights) {
        for (int first = 0; first < linear.out(); first += slabRows) {
            int rows = download(reference, first, theirs);
            device.stream().synchronize();
            for (int row = 0; row < rows; row++) {
                if (isCounted(first + row)) {
                    for (int i = row * linear.in(); i < (row + 1) * linear.in(); i++) {
                        weights.add(theirs[i]);
                    }
                }
            }
        }
        return trace(reference);
    }

    /**
     * {@code tr(ΔW G ΔWᵀ)} of a model's weight without its factors; counts weights and differences.
     *
     * @param columns what its columns are multiplied by
     * @param rows gets the factors that its rows turn out to have; null when they can have none
     */
    double difference(WeightSource source, double[] columns, double @Nullable [] rows, WeightTally tally) {
        source.load(linear.weightName(), other);
        for (int first = 0; first < linear.out(); first += slabRows) {
            int count = download(reference, first, theirs);
            download(other, first, ours);
            device.stream().synchronize();
            for (int row = 0; row < count; row++) {
                double factor = 1;
                if (rows != null) {
                    factor = factor(row * linear.in(), columns);
                    rows[first + row] = factor;
                }
                subtract(row * linear.in(), columns, factor, isCounted(first + row) ? tally : null);
            }
            DeviceMatrix slab = other.rows(first, count);
            device.stream().copyToDevice(MemorySegment.ofArray(ours).asSlice(0, slab.byteSize()), slab);
            device.stream().synchronize();
        }
        return trace(other);
    }

    private int download(DeviceMatrix matrix, int first, float... target) {
        int rows = Math.min(slabRows, linear.out() - first);
        DeviceMatrix slab = matrix.rows(first, rows);
        device.stream().copyToHost(slab, MemorySegment.ofArray(target).asSlice(0, slab.byteSize()));
        return rows;
    }

    private boolean isCounted(int row) {
        long step = Math.ceilDiv((long) linear.out() * linear.in(), (long) COUNTED);
        return row % step == 0;
    }

    /** The factor of a row for the least squared difference once it is divided out. */
    private double factor(int start, double... columns) {
        double product = 0;
        double square = 0;
        for (int i = 0; i < columns.length; i++) {
            double scaled = ours[start + i] * columns[i];
            product += scaled * theirs[start + i];
            square += scaled * scaled;
        }
        double inverse = product / square;
        return inverse > 0 && Double.isFinite(inverse) ? 1 / inverse : 1;
    }

    private void subtract(int start, double[] columns, double factor, @Nullable WeightTally tally) {
        for (int i = 0; i < columns.length; i++) {
            float weight = (float) (ours[start + i] * columns[i] / factor);
            float difference = weight - theirs[start + i];
            ours[start + i] = difference;
            if (tally != null) {
                tally.weights().add(weight);
                tally.errors().add(difference);
            }
        }
    }

    private double trace(DeviceMatrix matrix) {
        device.blas().gemm(device.stream(), Gemm.of(matrix, gram, products));
        return new ReductionKernels(device).dot(matrix, products);
    }

    @Override
    public void close() {
        owned.forEach(DeviceBuffer::close);
    }
}
