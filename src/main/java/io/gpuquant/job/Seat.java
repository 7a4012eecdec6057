package io.gpuquant.job;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import java.util.List;
import java.util.Optional;

/**
 * One of the devices that calibrate together, and its share of the work: consecutive sequences, consecutive linears of a
 * stage, and consecutive rows of a matrix.
 *
 * @param index which of them
 * @param count how many there are
 */
record Seat(int index, int count) {

    /** The only one. */
    static final Seat ALONE = new Seat(0, 1);

    /** Whether it writes what all of them make alike. */
    boolean leads() {
        return index == 0;
    }

    /** The first of its sequences. */
    int firstSequence(int sequences) {
        return first(sequences);
    }

    /** Its sequences in chunks. */
    Chunking chunking(int sequences, int length) {
        return Chunking.of(size(sequences), length);
    }

    /** Its rows of a matrix; there may be none. */
    DeviceMatrix rows(DeviceMatrix matrix) {
        return matrix.rows(first(matrix.rows()), size(matrix.rows()));
    }

    private int first(int all) {
        return (int) ((long) all * index / count);
    }

    private int size(int all) {
        return (int) ((long) all * (index + 1) / count) - first(all);
    }

    /**
     * Its linears of a stage, whose rows follow each other: those whose middle row is in its share of all rows. From expert to
     * expert, what was one device's is the next one's.
     */
    Optional<StageWeights> part(StageWeights weights) {
        Stage stage = weights.stage();
        int first = 0;
        while (first < stage.linears().size() && owner(stage, first) != index) {
            first++;
        }
        int end = first;
        while (end < stage.linears().size() && owner(stage, end) == index) {
            end++;
        }
        if (first == end) {
            return Optional.empty();
        }
        List<LinearSpec> linears = stage.linears().subList(first, end);
        Stage part = new Stage(stage.kind(), linears, linears.getLast().out(), stage.expert());
        var bias = weights.bias();
        return Optional.of(new StageWeights(
                part,
                weights.stacked().rows(stage.offset(first), part.out()),
                bias == null ? null : bias.columns(stage.offset(first), part.out())));
    }

    private int owner(Stage stage, int linear) {
        long middle = 2L * stage.offset(linear) + stage.linears().get(linear).out();
        return (int) ((middle * count / (2L * stage.out()) + stage.expert().orElse(0)) % count);
    }
}
