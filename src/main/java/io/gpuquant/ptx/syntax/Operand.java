package io.gpuquant.ptx.syntax;

import java.util.List;
import java.util.stream.Collectors;

/** An operand of an instruction, as written; names of nested scopes are already made unique. */
public sealed interface Operand {

    /** A declared register; one of a nested scope carries the scope's number after an {@code @}. */
    record Register(String name) implements Operand {

        /** The name as written. */
        public static String written(String name) {
            int scope = name.indexOf('@');
            return scope < 0 ? name : name.substring(0, scope);
        }

        @Override
        public String toString() {
            return written(name);
        }
    }

    /** A predefined register such as {@code %tid.x}. */
    record SpecialRegister(String name) implements Operand {
        @Override
        public String toString() {
            return name;
        }
    }

    /**
     * A literal.
     *
     * @param bits the integer's value, or the bits of a float
     */
    record Immediate(long bits, Form form) implements Operand {

        private static final long LEAST_IN_HEXADECIMAL = 1L << 20;

        /** How a literal is written. */
        public enum Form {
            INTEGER,
            F32_BITS,
            F64_BITS
        }

        @Override
        public String toString() {
            return switch (form) {
                case INTEGER ->
                    Math.abs(bits) < LEAST_IN_HEXADECIMAL ? Long.toString(bits) : "0x" + Long.toHexString(bits);
                case F32_BITS -> String.format("0f%08X", bits);
                case F64_BITS -> String.format("0d%016X", bits);
            };
        }
    }

    /** A label, variable or parameter. */
    record Symbol(String name) implements Operand {
        @Override
        public String toString() {
            return name;
        }
    }

    /** A brace-enclosed list: the elements of a vector access or of a packed move. */
    record Vector(List<Operand> elements) implements Operand {

        public Vector {
            elements = List.copyOf(elements);
        }

        @Override
        public String toString() {
            return elements.stream().map(Object::toString).collect(Collectors.joining(", ", "{", "}"));
        }
    }

    /** A bracketed address: a register, symbol or immediate plus a constant. */
    record Address(Operand base, long offset) implements Operand {
        @Override
        public String toString() {
            return "[" + base + (offset == 0 ? "" : "+" + offset) + "]";
        }
    }

    /** Two predicate destinations, or a register and a predicate: {@code %p1|%p2}. */
    record Pair(Operand first, Operand second) implements Operand {
        @Override
        public String toString() {
            return first + "|" + second;
        }
    }

    /** A negated predicate source: {@code !%p}. */
    record Negated(Operand operand) implements Operand {
        @Override
        public String toString() {
            return "!" + operand;
        }
    }
}
