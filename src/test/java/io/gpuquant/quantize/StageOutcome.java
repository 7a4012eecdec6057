package io.gpuquant.quantize;

import java.util.Arrays;
import java.util.List;

/**
 * What a method made of a stage, read from the device.
 *
 * @param packed whether codes came as words
 * @param codes [rows, in], columns in the order of the input features
 * @param scales [groups, rows]
 * @param zeros [groups, rows]
 * @param groupIndex the group of each input feature
 */
@SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
record StageOutcome(
        int rows,
        boolean packed,
        int[] codes,
        float[] scales,
        int[] zeros,
        int[] groupIndex,
        List<LinearReport> reports) {

    float scale(int group, int row) {
        return scales[group * rows + row];
    }

    int zero(int group, int row) {
        return zeros[group * rows + row];
    }

    int code(int row, int feature) {
        return codes[row * groupIndex.length + feature];
    }

    int[] codesOf(int row) {
        return Arrays.copyOfRange(codes, row * groupIndex.length, (row + 1) * groupIndex.length);
    }

    /** The weight that an engine would compute with. */
    double weight(int row, int feature) {
        int group = groupIndex[feature];
        return (double) scale(group, row) * (code(row, feature) - zero(group, row));
    }

    /** {@code W - Ŵ}, [rows, in]. */
    double[] errors(SyntheticStage stage) {
        int in = stage.in();
        double[] errors = new double[rows * in];
        for (int row = 0; row < rows; row++) {
            for (int feature = 0; feature < in; feature++) {
                errors[row * in + feature] = stage.weight(row, feature) - weight(row, feature);
            }
        }
        return errors;
    }

    /** {@code e G eᵀ} of each row. */
    double[] losses(SyntheticStage stage) {
        return stage.weightedNorms(errors(stage));
    }
}
