package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.format.PackedFormat;
import java.nio.file.Path;
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

    /** What differs from method to method. */
    public sealed interface MethodOptions {

        /** The method's name on the command line. */
        String name();
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
    }

    /**
     * What to calibrate with.
     *
     * @param text null for the text that comes with gpuquant
     * @param sampling how much of it; the sequence length is capped by what the model can take
     */
    public record Calibration(@Nullable TextFile text, CalibrationOptions sampling) {}
}
