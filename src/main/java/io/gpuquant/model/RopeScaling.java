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
