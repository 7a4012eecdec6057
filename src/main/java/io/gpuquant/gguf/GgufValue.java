package io.gpuquant.gguf;

import java.util.List;

/**
 * A value of the metadata of a GGUF file. Readers of the format ask for exact types: a count that is stored as
 * {@link GgufType#UINT64} where {@link GgufType#UINT32} is expected is an error to them, so the type belongs to the value.
 */
public sealed interface GgufValue {

    /** The type as it is stored. */
    GgufType type();

    /** A whole number of any width; an unsigned 64-bit one beyond a long is negative here. */
    record Whole(GgufType type, long value) implements GgufValue {

        public Whole {
            switch (type) {
                case UINT8 -> requireRange(type, value, 0, 0xff);
                case INT8 -> requireRange(type, value, Byte.MIN_VALUE, Byte.MAX_VALUE);
                case UINT16 -> requireRange(type, value, 0, 0xffff);
                case INT16 -> requireRange(type, value, Short.MIN_VALUE, Short.MAX_VALUE);
                case UINT32 -> requireRange(type, value, 0, 0xffff_ffffL);
                case INT32 -> requireRange(type, value, Integer.MIN_VALUE, Integer.MAX_VALUE);
                case UINT64, INT64 -> {}
                case FLOAT32, FLOAT64, BOOL, STRING, ARRAY ->
                    throw new IllegalArgumentException(type + " is not whole");
            }
        }

        private static void requireRange(GgufType type, long value, long least, long most) {
            if (value < least || value > most) {
                throw new IllegalArgumentException(value + " is no " + type);
            }
        }
    }

    /** A {@link GgufType#FLOAT32} or {@link GgufType#FLOAT64}. */
    record Real(GgufType type, double value) implements GgufValue {

        public Real {
            if (type != GgufType.FLOAT32 && type != GgufType.FLOAT64) {
                throw new IllegalArgumentException(type + " is not real");
            }
        }
    }

    /** A truth value. */
    record Flag(boolean value) implements GgufValue {

        @Override
        public GgufType type() {
            return GgufType.BOOL;
        }
    }

    /** A text. */
    record Text(String value) implements GgufValue {

        @Override
        public GgufType type() {
            return GgufType.STRING;
        }
    }

    /**
     * Values of one type.
     *
     * @param elementType the type of each; not an array
     * @param elements {@code Long} for whole numbers, {@code Double} for real ones, {@code Boolean} or {@code String}
     */
    record Array(GgufType elementType, List<?> elements) implements GgufValue {

        public Array {
            elements = List.copyOf(elements);
            Class<?> wanted = switch (elementType) {
                case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> Long.class;
                case FLOAT32, FLOAT64 -> Double.class;
                case BOOL -> Boolean.class;
                case STRING -> String.class;
                case ARRAY -> throw new IllegalArgumentException("an array of arrays, which readers refuse");
            };
            if (!elements.stream().allMatch(wanted::isInstance)) {
                throw new IllegalArgumentException("elements of an array of " + elementType + " must be " + wanted);
            }
        }

        @Override
        public GgufType type() {
            return GgufType.ARRAY;
        }

        /** The elements of an array of strings. */
        public List<String> texts() {
            return elements.stream().map(String.class::cast).toList();
        }
    }

    /** An unsigned 32-bit number, which most counts are. */
    static GgufValue count(long value) {
        return new Whole(GgufType.UINT32, value);
    }

    /** A 32-bit float. */
    static GgufValue real(double value) {
        return new Real(GgufType.FLOAT32, value);
    }

    /** A text. */
    static GgufValue text(String value) {
        return new Text(value);
    }

    /** A truth value. */
    static GgufValue flag(boolean value) {
        return new Flag(value);
    }

    /** An array of strings. */
    static GgufValue texts(List<String> values) {
        return new Array(GgufType.STRING, values);
    }
}
