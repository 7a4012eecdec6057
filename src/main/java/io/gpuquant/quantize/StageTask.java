package io.gpuquant.quantize;

import io.gpuquant.device.DeviceMatrix;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Linears that share their input, to be quantized together.
 *
 * @param names of the linears
 * @param outputs output features of each
 * @param weights F32 [outputs of all, in], dense; overwritten
 * @param gram F32 [in, in], the sum over all tokens of the outer products of the input, right on and above its diagonal;
 *     null for methods that need no data
 */
public record StageTask(
        List<String> names,
        List<Integer> outputs,
        DeviceMatrix weights,
        @Nullable DeviceMatrix gram) {

    public StageTask {
        names = List.copyOf(names);
        outputs = List.copyOf(outputs);
        if (names.size() != outputs.size()
                || weights.rows()
                        != outputs.stream().mapToInt(Integer::intValue).sum()) {
            throw new IllegalArgumentException(weights + " does not hold " + names + " of " + outputs + " outputs");
        }
        if (gram != null && (gram.rows() != weights.columns() || gram.columns() != weights.columns())) {
            throw new IllegalArgumentException(gram + " is not the Gram matrix of the inputs of " + weights);
        }
    }

    /** Input features. */
    int in() {
        return weights.columns();
    }

    /**
     * Input features of a group.
     *
     * @param asked the same, or -1 for all
     * @throws IllegalArgumentException when they do not divide into such groups
     */
    int groupSize(int asked) {
        int size = asked == -1 ? in() : asked;
        if (size < 1 || in() % size != 0) {
            throw new IllegalArgumentException("groups of " + asked + " do not divide the " + in()
                    + " input features of " + String.join(", ", names));
        }
        return size;
    }

    /** The first row of a linear. */
    int offset(int linear) {
        return outputs.subList(0, linear).stream().mapToInt(Integer::intValue).sum();
    }

    /** The rows of a linear in a matrix that has the rows of all. */
    DeviceMatrix rows(int linear, DeviceMatrix matrix) {
        return matrix.rows(offset(linear), outputs.get(linear));
    }
}
