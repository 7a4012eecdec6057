package io.gpuquant.ptx.syntax;

import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One instruction as written.
 *
 * @param guard the predicate register of {@code @%p}, or null
 * @param guardNegated whether it was {@code @!%p}
 * @param opcode the part before the first dot
 * @param modifiers the dotted parts in order, without dots
 */
public record Statement(
        int line,
        @Nullable String guard,
        boolean guardNegated,
        String opcode,
        List<String> modifiers,
        List<Operand> operands) {

    public Statement {
        modifiers = List.copyOf(modifiers);
        operands = List.copyOf(operands);
    }

    /** The opcode with its modifiers. */
    public String mnemonic() {
        return modifiers.isEmpty() ? opcode : opcode + "." + String.join(".", modifiers);
    }

    /** The instruction in PTX again, for messages. */
    @Override
    public String toString() {
        String prefix = guard == null ? "" : (guardNegated ? "@!" : "@") + Operand.Register.written(guard) + " ";
        return prefix
                + mnemonic()
                + operands.stream()
                        .map(Object::toString)
                        .collect(Collectors.joining(", ", operands.isEmpty() ? "" : " ", ""));
    }
}
