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
    }

    /** Input features. */
    int in() {
        return weights.columns();
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
