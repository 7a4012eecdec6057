package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A vector of the model with scales divided out, rounded to the type it is stored in. What the rounding takes away from the
 * division is put into the scales, so that linears are scaled by what the vector was really divided by, and the model
 * computes the same as before up to the rounding of the linears alone.
 *
 * @param values as they are stored
 * @param scales what the vector was divided by; one where it could not be
 * @param bytes the vector in its own type
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
record NormFold(float[] values, float[] scales, MemorySegment bytes) {

    /**
     * Divides a vector.
     *
     * @param scales null for ones
     */
    static NormFold of(float[] vector, float @Nullable [] scales, DType dtype) {
        byte[] bytes = new byte[Math.toIntExact(dtype.bytes(vector.length))];
        MemorySegment stored = MemorySegment.ofArray(bytes);
        float[] values = new float[vector.length];
        float[] divisors = new float[vector.length];
        for (int i = 0; i < vector.length; i++) {
            values[i] = vector[i];
            divisors[i] = 1;
            if (scales != null) {
                float folded = rounded(stored, dtype, i, vector[i] / scales[i]);
                float divisor = vector[i] / folded;
                // A quotient that is not in the type's range would lose the feature.
                if (divisor > 0 && Float.isFinite(divisor) && Float.isFinite(folded)) {
                    values[i] = folded;
                    divisors[i] = divisor;
                }
            }
            Elements.setFloat(stored, dtype, i, values[i]);
        }
        return new NormFold(values, divisors, stored);
    }

    /**
     * The part of a bias that belongs to a linear whose rows are divided.
     *
     * @param dtype that biases have in the format
     * @param tensor for messages
     */
    static NormFold ofBias(float[] bias, float[] scales, DType dtype, String tensor) {
        float[] values = new float[bias.length];
        MemorySegment stored = MemorySegment.ofArray(new byte[Math.toIntExact(dtype.bytes(bias.length))]);
        for (int i = 0; i < bias.length; i++) {
            values[i] = rounded(stored, dtype, i, bias[i] / scales[i]);
            if (!Float.isFinite(values[i])) {
                throw new InputException(tensor + " has the value " + bias[i] / scales[i] + " at element " + i
                        + " after scaling, which does not fit " + dtype + ", the type of biases in this format");
            }
        }
        return new NormFold(values, scales, stored);
    }

    private static float rounded(MemorySegment place, DType dtype, int index, float value) {
        Elements.setFloat(place, dtype, index, value);
        return Elements.floatAt(place, dtype, index);
    }
}
