package io.gpuquant.model;

import java.util.List;

/**
 * How the frequencies of a rotary embedding are stretched for contexts longer than those of pre-training; the
 * {@code rope_type} of a config.json.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py">transformers,
 *     modeling_rope_utils.py</a>
 */
public sealed interface RopeScaling {

    /** {@code default}: the frequencies as they are. */
    record None() implements RopeScaling {}

    /**
     * {@code linear}: every frequency is divided by {@code factor}.
     *
     * @param factor how many times longer the context becomes
     */
    record Linear(double factor) implements RopeScaling {}

    /**
     * {@code llama3}: long wavelengths are stretched, short ones kept, those between interpolated.
     *
     * @param factor how many times longer the context becomes
     * @param lowFrequencyFactor wavelengths above {@code originalContext / lowFrequencyFactor} are stretched fully
     * @param highFrequencyFactor wavelengths below {@code originalContext / highFrequencyFactor} are kept; greater than
     *     {@code lowFrequencyFactor}
     * @param originalContext the context length of pre-training, in tokens
     */
    record Llama3(double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalContext)
            implements RopeScaling {

        public Llama3 {
            if (!(highFrequencyFactor > lowFrequencyFactor)) {
                throw new IllegalArgumentException(
                        "high frequency factor " + highFrequencyFactor + " is not above " + lowFrequencyFactor);
            }
        }
    }

    /**
     * {@code yarn} (Peng et al., arXiv 2309.00071): frequencies that turn often within the context of pre-training are kept, those
     * that turn seldom are divided by {@code factor}, those between interpolated; cosines and sines are multiplied.
     *
     * @param factor how many times longer the context becomes
     * @param turns between which numbers of turns frequencies are interpolated
     * @param magnitude what cosines and sines are multiplied by
     * @param originalContext the context length of pre-training, in tokens
     */
    record Yarn(double factor, YarnTurns turns, double magnitude, int originalContext) implements RopeScaling {

        /** What cosines and sines are multiplied by unless a checkpoint says otherwise. */
        public static double usualMagnitude(double factor, double weight) {
            return factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1;
        }
    }

    /**
     * Between which numbers of turns within the original context YaRN interpolates.
     *
     * @param fast frequencies that turn more often are kept
     * @param slow frequencies that turn less often are divided
     * @param isTruncated whether the pairs of elements where that happens are rounded, outwards, to whole ones
     */
    record YarnTurns(double fast, double slow, boolean isTruncated) {}

    /**
     * {@code longrope}, at first called {@code su} (Ding et al., arXiv 2402.13753): each frequency is divided by a factor of its
     * own, one of two lists of them, and cosines and sines are multiplied.
     *
     * @param shortFactors for sequences of at most {@code originalContext} tokens
     * @param longFactors for longer ones
     * @param magnitude what cosines and sines are multiplied by
     * @param originalContext the context length of pre-training, in tokens
     */
    record LongRope(List<Double> shortFactors, List<Double> longFactors, double magnitude, int originalContext)
            implements RopeScaling {

        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
        }
    }
}
