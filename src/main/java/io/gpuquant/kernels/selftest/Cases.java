package io.gpuquant.kernels.selftest;

import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;

/** Lists of cases over types and shapes. */
final class Cases {

    /** The types that kernels take. */
    static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);

    private Cases() {}

    /** Every type with every ragged shape, and one type with a shape of many blocks. */
    static List<Case> forTypesAndShapes(BiFunction<DType, Layout, Case> newCase, Layout large) {
        List<Case> cases = new ArrayList<>();
        for (DType type : TYPES) {
            for (Layout shape : Layout.SHAPES) {
                cases.add(newCase.apply(type, shape));
            }
        }
        cases.add(newCase.apply(DType.BF16, large));
        return cases;
    }
}
