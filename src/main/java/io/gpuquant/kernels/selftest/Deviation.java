package io.gpuquant.kernels.selftest;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** How far what a device computed is from what it should be, over all cases of a check. */
final class Deviation {

    private double largest;
    private double ofAllowed;
    private @Nullable String fault;

    /** The largest difference of two numbers; infinity where one of them is none. */
    double largest() {
        return largest;
    }

    /** The largest difference as a share of what was allowed for it. */
    double ofAllowed() {
        return ofAllowed;
    }

    /** What is wrong, at the first element of the first case where something is; null where nothing is. */
    @Nullable
    String fault() {
        return fault;
    }

    /** Compares the outputs of a case. */
    void add(Case where, List<Output> actual, List<Output> expected) {
        if (actual.size() != expected.size()) {
            throw new IllegalArgumentException(where + " has other outputs on the reference");
        }
        for (int i = 0; i < actual.size(); i++) {
            add(where, actual.get(i), expected.get(i));
        }
    }

    private void add(Case where, Output actual, Output expected) {
        if (actual.count() != expected.count()) {
            throw new IllegalArgumentException(where + " has other elements on the reference");
        }
        if (actual.dtype() == expected.dtype() && actual.data().mismatch(expected.data()) < 0) {
            return;
        }
        int wrong = 0;
        int firstWrong = -1;
        for (int i = 0; i < actual.count(); i++) {
            if (!isRight(actual, expected, i)) {
                firstWrong = wrong == 0 ? i : firstWrong;
                wrong++;
            }
        }
        if (wrong > 0 && fault == null) {
            fault = String.format(
                    Locale.ROOT,
                    "%s: %d of %d elements of its %s are wrong, the first of them, number %d, is %s instead of %s",
                    where,
                    wrong,
                    actual.count(),
                    expected.name(),
                    firstWrong,
                    text(actual, firstWrong),
                    text(expected, firstWrong));
        }
    }

    private static String text(Output output, int index) {
        double value = output.value(index);
        return output.dtype().isFloat() || value != Math.rint(value)
                ? String.format(Locale.ROOT, "%.9g", value)
                : Long.toString((long) value);
    }

    private boolean isRight(Output actual, Output expected, int index) {
        if (actual.dtype() == expected.dtype() && actual.bits(index) == expected.bits(index)) {
            return true;
        }
        double value = actual.value(index);
        double should = expected.value(index);
        if (Double.isNaN(value) && Double.isNaN(should)) {
            return true;
        }
        double allowed = expected.tolerance().allowed(index, should);
        if (allowed == Double.POSITIVE_INFINITY) {
            return true;
        }
        double difference = Math.abs(value - should);
        difference = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
        boolean right = allowed == 0 ? difference == 0 && actual.dtype() != expected.dtype() : difference <= allowed;
        if (!right || allowed > 0) {
            largest = Math.max(largest, difference);
            ofAllowed = Math.max(ofAllowed, allowed == 0 ? Double.POSITIVE_INFINITY : difference / allowed);
        }
        return right;
    }
}
