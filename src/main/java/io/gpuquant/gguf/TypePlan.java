package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * The block type of every tensor of a file.
 *
 * @param choices in the order of the file
 */
public record TypePlan(List<Choice> choices) {

    /**
     * A tensor's type.
     *
     * @param wanted what the mix or the user asked for; differs from {@code tensor.type()} where rows do not fill its blocks
     */
    public record Choice(GgufLayout.Spec tensor, GgmlType wanted) {

        /** Whether another type had to be taken. */
        public boolean isFallback() {
            return tensor.type() != wanted;
        }
    }

    /**
     * A type for tensors whose name matches.
     *
     * @param pattern is searched for in the name
     */
    public record TypeOverride(Pattern pattern, GgmlType type) {

        /**
         * Reads {@code PATTERN=TYPE}.
         *
         * @throws UsageException when it is not of that form, or the type does not exist
         */
        public static TypeOverride parse(String text) {
            int equals = text.lastIndexOf('=');
            Optional<GgmlType> type = equals < 1 ? Optional.empty() : GgmlType.named(text.substring(equals + 1));
            if (type.isEmpty()) {
                throw new UsageException("--tensor-type " + text
                        + " is not a pattern, an equals sign and a block type; give one such as ffn_down=Q6_K");
            }
            try {
                return new TypeOverride(
                        Pattern.compile(text.substring(0, equals).toLowerCase(Locale.ROOT)), type.get());
            } catch (PatternSyntaxException e) {
                throw new UsageException(
                        "--tensor-type " + text + " is no regular expression (" + e.getDescription() + ")", e);
            }
        }
    }

    /**
     * What was asked for.
     *
     * @param pure whether every tensor gets the mix's own type
     * @param overrides the first that matches wins over the rules of the mix
     */
    public record Request(FileType mix, boolean pure, List<TypeOverride> overrides) {

        public Request {
            overrides = List.copyOf(overrides);
        }
    }

    public TypePlan {
        choices = List.copyOf(choices);
    }

    /** The order in which llama.cpp writes tensors: those of no layer first, then layer by layer, each by name. */
    public static final Comparator<String> FILE_ORDER =
            Comparator.comparingInt(TypePlan::layer).thenComparing(Comparator.naturalOrder());

    private static int layer(String name) {
        if (!name.startsWith("blk.")) {
            return -1;
        }
        return Integer.parseInt(name.substring(4, name.indexOf('.', 4)));
    }

    /**
     * Chooses types.
     *
     * @param tensors what the source has, in {@link #FILE_ORDER}, with the types that they keep if they are not quantized
     * @throws InputException when the mix needs an importance matrix that is not there
     */
    public static TypePlan of(Request request, MixModel model, List<GgufLayout.Spec> tensors) {
        int values = (int) tensors.stream()
                .filter(tensor -> MixRules.isValue(tensor.name()))
                .count();
        MixRules rules = new MixRules(request.mix(), model, values);
        List<Choice> choices = new ArrayList<>();
        for (GgufLayout.Spec tensor : tensors) {
            GgmlType wanted = isQuantizable(tensor) ? wanted(request, rules, tensor) : tensor.type();
            requireImportance(request, model, tensor, wanted);
            GgmlType type = fitting(wanted, tensor.extents().getFirst());
            choices.add(new Choice(new GgufLayout.Spec(tensor.name(), type, tensor.extents()), wanted));
        }
        return new TypePlan(choices);
    }

    private static GgmlType wanted(Request request, MixRules rules, GgufLayout.Spec tensor) {
        if (!request.mix().base().isQuantized()) {
            return request.mix().base();
        }
        // Asked even where the answer is not used: the rules count.
        GgmlType ruled = rules.type(tensor);
        Optional<GgmlType> asked = request.overrides().stream()
                .filter(override -> override.pattern().matcher(tensor.name()).find())
                .map(TypeOverride::type)
                .findFirst();
        return asked.orElse(request.pure() ? request.mix().base() : ruled);
    }

    /** Matrices, but not norms and not what routes tokens to experts. */
    static boolean isQuantizable(GgufLayout.Spec tensor) {
        String name = tensor.name();
        return tensor.extents().size() > 1
                && name.endsWith("weight")
                && !name.contains("_norm.weight")
                && !name.contains("ffn_gate_inp.weight");
    }

    private static void requireImportance(Request request, MixModel model, GgufLayout.Spec tensor, GgmlType wanted) {
        if (request.mix() == FileType.Q2_K_S
                && wanted == GgmlType.Q2_K
                && !model.importance()
                && !tensor.name().equals("token_embd.weight")
                && !tensor.name().equals("output.weight")) {
            throw new InputException("Q2_K_S cannot be written well without an importance matrix; make one with"
                    + " 'gpuquant imatrix' and give it with --imatrix, or choose --type Q2_K");
        }
    }

    /** The nearest type whose blocks fill rows of this length. */
    static GgmlType fitting(GgmlType wanted, long rowLength) {
        if (wanted.divides(rowLength)) {
            return wanted;
        }
        GgmlType smaller = switch (wanted) {
            case Q2_K, Q3_K -> GgmlType.Q4_0;
            case Q4_K -> GgmlType.Q5_0;
            case Q5_K -> GgmlType.Q5_1;
            case Q6_K -> GgmlType.Q8_0;
            case IQ4_XS -> GgmlType.IQ4_NL;
            default -> GgmlType.F16;
        };
        return smaller.divides(rowLength) ? smaller : GgmlType.F16;
    }

    /** The tensors as they will be in the file. */
    public List<GgufLayout.Spec> tensors() {
        return choices.stream().map(Choice::tensor).toList();
    }

    /** Bits that a weight takes on average, over all tensors. */
    public double bitsPerWeight() {
        double bits = 0;
        double weights = 0;
        for (GgufLayout.Spec tensor : tensors()) {
            bits += 8.0 * tensor.byteSize();
            weights += tensor.extents().stream().mapToDouble(extent -> extent).reduce(1, (a, b) -> a * b);
        }
        return bits / weights;
    }
}
