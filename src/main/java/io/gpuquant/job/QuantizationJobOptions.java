package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.format.PackedFormat;
import io.gpuquant.model.ModelConfig;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the user asked for.
 *
 * @param model the folder of the checkpoint
 * @param output the folder to make
 * @param overwrite whether a finished output of that name may be replaced
 * @param version of the format
 */
public record QuantizationJobOptions(
        Path model,
        Path output,
        boolean overwrite,
        MethodOptions method,
        int bits,
        int groupSize,
        boolean symmetric,
        PackedFormat version) {

    /** Where to write an importance matrix of the calibration pass; empty where none is wanted. */
    public Optional<Path> importance() {
        return Optional.ofNullable(method.calibrationOrNull()).map(Calibration::importance);
    }

    /** What differs from method to method. */
    public sealed interface MethodOptions {

        /** The method's name on the command line. */
        String name();

        /** What to calibrate with; null for methods that need no data. */
        default @Nullable Calibration calibrationOrNull() {
            return null;
        }

        /** Whether layers are calibrated with what the quantized layers before them give. */
        default boolean propagates() {
            return true;
        }

        /** Everything that decides the output but the calibration text, in words. */
        default String decisive() {
            return toString();
        }
    }

    /** Round to nearest. */
    public record Rtn() implements MethodOptions {

        @Override
        public String name() {
            return "rtn";
        }
    }

    /**
     * GPTQ.
     *
     * @param descAct whether input features take turns by activity
     * @param groupAware whether, without {@code descAct}, groups and features within groups do
     * @param mse whether scales are searched for the least squared error
     */
    public record Gptq(
            boolean descAct,
            boolean staticGroups,
            boolean groupAware,
            double damping,
            boolean mse,
            Calibration calibration)
            implements MethodOptions {

        @Override
        public String name() {
            return "gptq";
        }

        @Override
        public Calibration calibrationOrNull() {
            return calibration;
        }

        @Override
        public String decisive() {
            return new Gptq(descAct, staticGroups, groupAware, damping, mse, Calibration.NONE).toString();
        }
    }

    /** What AWQ judges scales by. */
    public enum Objective {
        /** The output of the attention or the MLP that the linears belong to. */
        MODULE,
        /** The outputs of the linears themselves. */
        GRAM
    }

    /**
     * AWQ.
     *
     * @param ratios how many ratios between activations and weights are tried
     * @param duo whether weights have a part in the scales
     * @param clip whether ranges are searched for
     * @param propagate whether layers are calibrated with what the quantized layers before them give
     */
    public record Awq(
            Objective objective, int ratios, boolean duo, boolean clip, boolean propagate, Calibration calibration)
            implements MethodOptions {

        @Override
        public String name() {
            return "awq";
        }

        @Override
        public boolean propagates() {
            return propagate;
        }

        @Override
        public Calibration calibrationOrNull() {
            return calibration;
        }

        @Override
        public String decisive() {
            return new Awq(objective, ratios, duo, clip, propagate, Calibration.NONE).toString();
        }
    }

    /**
     * What to calibrate with.
     *
     * @param text null for the text that comes with gpuquant
     * @param sampling how much of it; the sequence length is capped by what the model can take
     * @param importance the file of an importance matrix that is to be made of what the pass sees anyway; null for none
     */
    public record Calibration(
            @Nullable TextFile text,
            CalibrationOptions sampling,
            @Nullable Path importance) {

        private static final Calibration NONE = new Calibration(null, new CalibrationOptions(2, 1, 0));

        /** Without an importance matrix. */
        public Calibration(@Nullable TextFile text, CalibrationOptions sampling) {
            this(text, sampling, null);
        }

        /** How much of the text a model can take. */
        CalibrationOptions samplingFor(ModelConfig config) {
            return new CalibrationOptions(
                    Math.min(sampling.sequenceLength(), config.maxPositionEmbeddings()),
                    sampling.samples(),
                    sampling.seed());
        }
    }
}
