package io.gpuquant.ptx;

import java.util.Map;
import java.util.stream.Collectors;

/**
 * How many registers of each width a kernel has. Literals and predefined registers are registers too, filled before the
 * kernel starts, so that every operand is an index.
 *
 * @param words number of 32-bit registers; narrower values live in them, zero-extended
 * @param longs number of 64-bit registers
 * @param predicates number of predicates; each is a mask of lanes
 * @param wordConstants literals by the index of their register
 * @param longConstants literals by the index of their register
 * @param predicateConstants literals, as masks, by the index of their predicate
 * @param specials predefined registers by the index of their register
 * @param names as declared, by the number that {@link RegisterUse} gives a register
 */
record RegisterLayout(
        int words,
        int longs,
        int predicates,
        Map<Integer, Integer> wordConstants,
        Map<Integer, Long> longConstants,
        Map<Integer, Integer> predicateConstants,
        Map<Integer, SpecialRegister> specials,
        Map<Integer, String> names) {

    RegisterLayout {
        wordConstants = Map.copyOf(wordConstants);
        longConstants = Map.copyOf(longConstants);
        predicateConstants = Map.copyOf(predicateConstants);
        specials = Map.copyOf(specials);
        names = Map.copyOf(names);
    }

    /** The predefined registers that differ between blocks. */
    Map<Integer, SpecialRegister> blockSpecials() {
        return specials.entrySet().stream()
                .filter(entry -> entry.getValue().dependsOnBlock())
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    }
}
