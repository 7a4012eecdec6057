package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Variable;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the shared variables of a kernel lie. On a checked machine a guard zone separates any two, and nothing lies at
 * address zero.
 */
final class SharedLayout {

    private static final int CHECKED_GUARD = 64;

    private record Placed(Variable variable, int offset) {}

    /** Where a variable lies. */
    record Extent(int offset, int size) {}

    private final int guard;
    private final List<Placed> placed = new ArrayList<>();
    private int staticEnd;
    private int declaredBytes;

    SharedLayout(List<Variable> variables, boolean checked) {
        guard = checked ? CHECKED_GUARD : 0;
        int offset = guard;
        for (Variable variable : variables) {
            if (variable.space() == Variable.Space.SHARED) {
                offset = align(offset, variable.alignment());
                placed.add(new Placed(variable, offset));
                offset += variable.byteSize() + guard;
                declaredBytes = align(declaredBytes, variable.alignment()) + variable.byteSize();
            }
        }
        staticEnd = offset;
        for (Variable variable : variables) {
            if (variable.space() == Variable.Space.DYNAMIC_SHARED) {
                staticEnd = align(staticEnd, variable.alignment());
            }
        }
        for (Variable variable : variables) {
            if (variable.space() == Variable.Space.DYNAMIC_SHARED) {
                placed.add(new Placed(variable, staticEnd));
            }
        }
    }

    /** Bytes that the kernel's own declarations take on a GPU. */
    int declaredBytes() {
        return declaredBytes;
    }

    int totalBytes(int dynamicBytes) {
        return staticEnd + dynamicBytes + guard;
    }

    /**
     * The address of a variable.
     *
     * @return -1 when there is none of this name
     */
    int offsetOf(String name) {
        for (Placed each : placed) {
            if (each.variable().name().equals(name)) {
                return each.offset();
            }
        }
        return -1;
    }

    /** Where the variables lie, in the order of their addresses. */
    List<Extent> extents(int dynamicBytes) {
        return placed.stream()
                .map(each -> new Extent(each.offset(), sizeOf(each, dynamicBytes)))
                .toList();
    }

    /** An address in words: the variable and the offset in it, or behind which it lies. */
    String describe(int address, int dynamicBytes) {
        Placed nearest = null;
        for (Placed each : placed) {
            if (each.offset() <= address && (nearest == null || each.offset() >= nearest.offset())) {
                nearest = each;
            }
        }
        if (nearest == null) {
            return "before every variable";
        }
        String name = "'" + nearest.variable().name() + "'";
        int within = address - nearest.offset();
        int size = sizeOf(nearest, dynamicBytes);
        return within < size ? within + " of " + name : (within - size) + " bytes past the end of " + name;
    }

    private static int sizeOf(Placed each, int dynamicBytes) {
        return each.variable().space() == Variable.Space.DYNAMIC_SHARED
                ? dynamicBytes
                : each.variable().byteSize();
    }

    private static int align(int offset, int alignment) {
        return (offset + alignment - 1) / alignment * alignment;
    }
}
