package io.gpuquant.llamacpp;

import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GgufLayout;
import java.util.List;

/**
 * A tensor of a GGUF file, and what it is made of.
 *
 * @param name llama.cpp's
 * @param kept the type if it is not quantized
 * @param extents innermost first
 */
public record TensorRecipe(String name, GgmlType kept, List<Long> extents, Content content) {

    /** Where the values come from. */
    public sealed interface Content {

        /** One tensor of the checkpoint as it is. */
        record Copy(String source) implements Content {}

        /**
         * A tensor whose rows change places within each head: the pairs that a rotary embedding turns are half a head apart in
         * the checkpoint, and neighbours in the file.
         *
         * @param heads how many of them the rows are
         */
        record PermutedHeads(String source, int heads) implements Content {

            /** The row of the checkpoint that becomes row {@code row} of {@code rows} in the file. */
            public int sourceRow(int row, int rows) {
                int head = rows / heads;
                int within = row % head;
                return row - within + within % 2 * (head / 2) + within / 2;
            }

            /** The row of the file that row {@code row} of {@code rows} of the checkpoint becomes. */
            public int fileRow(int row, int rows) {
                int head = rows / heads;
                int within = row % head;
                return row - within + within % (head / 2) * 2 + within / (head / 2);
            }
        }

        /** A vector and one. */
        record PlusOne(String source) implements Content {}

        /** Matrices of all experts, one after another. */
        record Stack(List<String> sources) implements Content {

            public Stack {
                sources = List.copyOf(sources);
            }
        }

        /** Numbers that config.json has. */
        record Computed(List<Float> values) implements Content {

            public Computed {
                values = List.copyOf(values);
            }
        }
    }

    public TensorRecipe {
        extents = List.copyOf(extents);
    }

    /** The tensor as it lies in a file where it is not quantized. */
    public GgufLayout.Spec spec() {
        return new GgufLayout.Spec(name, kept, extents);
    }

    /** The names of the checkpoint's tensors that it is made of. */
    public List<String> sources() {
        return switch (content) {
            case Content.Copy copy -> List.of(copy.source());
            case Content.PermutedHeads permuted -> List.of(permuted.source());
            case Content.PlusOne plus -> List.of(plus.source());
            case Content.Stack stack -> stack.sources();
            case Content.Computed computed -> List.of();
        };
    }
}
