package io.gpuquant.ptx;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** The shapes of functions that one lane computes: how many registers of which width go in and come out. */
final class LaneFunctions {

    private static final Map<Record, Object> SHARED = new ConcurrentHashMap<>();

    private LaneFunctions() {}

    /**
     * The function that a key stands for, made once. Loops are specialized for each function object, so a lambda that
     * captures something must be one object wherever it would do the same.
     */
    @SuppressWarnings("unchecked") // A key is of a record class of its user, which always makes the same type.
    static <T> T shared(Record key, Supplier<T> factory) {
        Object known = SHARED.get(key);
        if (known == null) {
            T made = factory.get();
            Object raced = SHARED.putIfAbsent(key, made);
            known = raced == null ? made : raced;
        }
        return (T) known;
    }

    /** One 32-bit register from one. */
    @FunctionalInterface
    interface Int1 {
        int apply(int a);
    }

    /** One 32-bit register from two. */
    @FunctionalInterface
    interface Int2 {
        int apply(int a, int b);
    }

    /** One 32-bit register from three. */
    @FunctionalInterface
    interface Int3 {
        int apply(int a, int b, int c);
    }

    /** One 64-bit register from one. */
    @FunctionalInterface
    interface Long1 {
        long apply(long a);
    }

    /** One 64-bit register from two. */
    @FunctionalInterface
    interface Long2 {
        long apply(long a, long b);
    }

    /** One 64-bit register from three. */
    @FunctionalInterface
    interface Long3 {
        long apply(long a, long b, long c);
    }

    /** One 64-bit register from a 32-bit one. */
    @FunctionalInterface
    interface IntToLong {
        long apply(int a);
    }

    /** One 32-bit register from a 64-bit one. */
    @FunctionalInterface
    interface LongToInt {
        int apply(long a);
    }

    /** One 64-bit register from two 32-bit ones. */
    @FunctionalInterface
    interface IntsToLong {
        long apply(int a, int b);
    }

    /** One 64-bit register from two 32-bit ones and a 64-bit one. */
    @FunctionalInterface
    interface IntsAndLongToLong {
        long apply(int a, int b, long c);
    }

    /** One 64-bit register from a 64-bit and a 32-bit one. */
    @FunctionalInterface
    interface LongAndIntToLong {
        long apply(long a, int b);
    }

    /** A condition on two 32-bit registers. */
    @FunctionalInterface
    interface IntTest {
        boolean test(int a, int b);
    }

    /** A condition on two 64-bit registers. */
    @FunctionalInterface
    interface LongTest {
        boolean test(long a, long b);
    }
}
