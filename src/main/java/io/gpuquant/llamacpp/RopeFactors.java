package io.gpuquant.llamacpp;

import io.gpuquant.gguf.GgmlType;
import io.gpuquant.llamacpp.TensorRecipe.Content;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.RopeScaling;
import java.util.ArrayList;
import java.util.List;

/** What the frequencies of a rotary embedding are divided by, where llama.cpp takes it from a tensor. */
final class RopeFactors {

    private RopeFactors() {}

    static List<TensorRecipe> of(ModelConfig config) {
        return switch (config.rope().scaling()) {
            case RopeScaling.None none -> List.of();
            case RopeScaling.Linear linear -> List.of();
            case RopeScaling.Yarn yarn -> List.of();
            case RopeScaling.Llama3 llama3 -> List.of(vector("rope_freqs.weight", llama3(config, llama3)));
            case RopeScaling.LongRope longRope ->
                List.of(
                        vector("rope_factors_long.weight", longRope.longFactors()),
                        vector("rope_factors_short.weight", longRope.shortFactors()));
        };
    }

    private static TensorRecipe vector(String name, List<Double> values) {
        return new TensorRecipe(
                name,
                GgmlType.F32,
                List.of((long) values.size()),
                new Content.Computed(values.stream().map(Double::floatValue).toList()));
    }

    /** One for short wavelengths, the factor for long ones, between the two for those between. */
    private static List<Double> llama3(ModelConfig config, RopeScaling.Llama3 scaling) {
        List<Double> factors = new ArrayList<>();
        for (int i = 0; i < config.headDim(); i += 2) {
            double wavelength = 2 * Math.PI * Math.pow(config.rope().theta(), (double) i / config.headDim());
            double turns = scaling.originalContext() / wavelength;
            if (turns > scaling.highFrequencyFactor()) {
                factors.add(1.0);
            } else if (turns < scaling.lowFrequencyFactor()) {
                factors.add(scaling.factor());
            } else {
                double smooth = (turns - scaling.lowFrequencyFactor())
                        / (scaling.highFrequencyFactor() - scaling.lowFrequencyFactor());
                factors.add(1 / ((1 - smooth) / scaling.factor() + smooth));
            }
        }
        return factors;
    }
}
