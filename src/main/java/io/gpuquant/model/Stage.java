package io.gpuquant.model;

import java.util.List;
import java.util.OptionalInt;

/**
 * A step of a decoder layer: linears that share their input. Their weights are stacked, first linear first, and multiplied
 * at once.
 *
 * @param handedOn how many of the last output features become, one by one, input features of the stage after it, if they are
 *     as many: values, or the up projection. A linear that a family has fused holds others before them.
 * @param expert the expert whose stage it is, which only some tokens come to; empty for a stage of all tokens
 */
public record Stage(Kind kind, List<LinearSpec> linears, int handedOn, OptionalInt expert) {

    /** How the input is made and how the outputs continue. */
    public enum Kind {
        /** The input is the normalized residual stream; the outputs are queries, keys and values. */
        ATTENTION_IN,
        /** The input is the attention's result; the output is added to the residual stream. */
        ATTENTION_OUT,
        /** The input is the normalized residual stream; the outputs are gate and up. */
        MLP_IN,
        /** The input is the activated gate times up; the output is added to the residual stream. */
        MLP_OUT
    }

    public Stage {
        linears = List.copyOf(linears);
        for (LinearSpec linear : linears) {
            if (linear.in() != linears.getFirst().in()) {
                throw new IllegalArgumentException(linear + " does not share its input with " + linears.getFirst());
            }
        }
    }

    /** A stage of all tokens, whose last linear gives what the next takes. */
    public Stage(Kind kind, List<LinearSpec> linears) {
        this(kind, linears, linears.getLast().out(), OptionalInt.empty());
    }

    /** Input features. */
    public int in() {
        return linears.getFirst().in();
    }

    /** Output features of all linears together. */
    public int out() {
        return linears.stream().mapToInt(LinearSpec::out).sum();
    }

    /** Whether any linear has a bias. */
    public boolean hasBias() {
        return linears.stream().anyMatch(LinearSpec::bias);
    }

    /** The first output feature of a linear among those of all. */
    public int offset(int linear) {
        return linears.subList(0, linear).stream().mapToInt(LinearSpec::out).sum();
    }
}
