package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Gives every register, literal and predefined register of a kernel its index. */
final class RegisterNames {

    private final Map<String, PtxType> declared;
    private final Map<String, Integer> indices = new HashMap<>();
    private final Map<Integer, Integer> wordConstants = new HashMap<>();
    private final Map<Integer, Long> longConstants = new HashMap<>();
    private final Map<Integer, Integer> predicateConstants = new HashMap<>();
    private final Map<Integer, SpecialRegister> specials = new HashMap<>();
    private int words;
    private int longs;
    private int predicates;

    RegisterNames(Map<String, PtxType> declared) {
        this.declared = declared;
    }

    /** The declared type, or null. */
    @Nullable
    PtxType typeOf(String name) {
        return declared.get(name);
    }

    /** The index of a declared register among those of its width. */
    int index(String name, PtxType type) {
        return indices.computeIfAbsent(name, key -> {
            if (type == PtxType.PRED) {
                return predicates++;
            }
            return type.isWide() ? longs++ : words++;
        });
    }

    int wordConstant(int value) {
        return indices.computeIfAbsent("word " + value, key -> {
            wordConstants.put(words, value);
            return words++;
        });
    }

    int longConstant(long value) {
        return indices.computeIfAbsent("long " + value, key -> {
            longConstants.put(longs, value);
            return longs++;
        });
    }

    int predicateConstant(boolean value) {
        return indices.computeIfAbsent("predicate " + value, key -> {
            predicateConstants.put(predicates, value ? Operation.ALL_LANES : 0);
            return predicates++;
        });
    }

    int special(SpecialRegister register) {
        return indices.computeIfAbsent("special " + register, key -> {
            specials.put(words, register);
            return words++;
        });
    }

    /** A register that is written and never read: where a result goes that nobody wants. */
    int sink(PtxType type) {
        return index("sink " + (type.isWide() || type == PtxType.PRED ? type.bits() : Integer.SIZE), type);
    }

    RegisterLayout layout() {
        Map<Integer, String> names = new HashMap<>();
        declared.forEach((name, type) -> {
            Integer index = indices.get(name);
            if (index != null) {
                names.put(RegisterUse.number(index, type), Operand.Register.written(name));
            }
        });
        return new RegisterLayout(
                words, longs, predicates, wordConstants, longConstants, predicateConstants, specials, names);
    }
}
