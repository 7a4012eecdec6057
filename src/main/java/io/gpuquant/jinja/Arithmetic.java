package io.gpuquant.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Python's operators between two values. */
final class Arithmetic {

    private static final int MOST_CHARACTERS = 1 << 26;

    private Arithmetic() {}

    static Object apply(String operator, @Nullable Object left, @Nullable Object right, int line) {
        if (operator.equals("~")) {
            return Values.text(left) + Values.text(right);
        }
        if (operator.equals("+") && left instanceof String a && right instanceof String b) {
            return a + b;
        }
        if (operator.equals("+") && left instanceof List<?> a && right instanceof List<?> b) {
            List<@Nullable Object> sum = new ArrayList<>(a);
            sum.addAll(b);
            return sum;
        }
        if (operator.equals("*") && left instanceof String text && right instanceof Long times) {
            return repeated(text, times, line);
        }
        if (!Values.isNumber(left) || !Values.isNumber(right)) {
            throw new TemplateException(
                    line, Values.kind(left) + " and " + Values.kind(right) + " do not go together with " + operator);
        }
        try {
            return left instanceof Double || right instanceof Double || operator.equals("/")
                    ? real(operator, Values.real(left), Values.real(right), line)
                    : whole(operator, Values.whole(left), Values.whole(right), line);
        } catch (ArithmeticException overflow) {
            throw new TemplateException(line, "an integer grows too large");
        }
    }

    private static String repeated(String text, long times, int line) {
        if (text.length() * (double) times > MOST_CHARACTERS) {
            throw new TemplateException(line, "a string grows too large");
        }
        return text.repeat((int) Math.max(0, times));
    }

    private static Object whole(String operator, long a, long b, int line) {
        return switch (operator) {
            case "+" -> Math.addExact(a, b);
            case "-" -> Math.subtractExact(a, b);
            case "*" -> Math.multiplyExact(a, b);
            case "//" -> Math.floorDiv(a, nonZero(b, line));
            case "%" -> Math.floorMod(a, nonZero(b, line));
            case "**" -> power(a, b);
            default -> throw new TemplateException(line, "an unknown operator " + operator);
        };
    }

    private static Object power(long base, long exponent) {
        if (exponent < 0) {
            return Math.pow(base, exponent);
        }
        long power = 1;
        for (long i = 0; i < exponent && (power != 0 && power != 1 || i == 0); i++) {
            power = Math.multiplyExact(power, base);
        }
        return base == -1 ? Long.valueOf(exponent % 2 == 0 ? 1 : -1) : Long.valueOf(power);
    }

    private static long nonZero(long divisor, int line) {
        if (divisor == 0) {
            throw new TemplateException(line, "a division by zero");
        }
        return divisor;
    }

    private static Object real(String operator, double a, double b, int line) {
        if (b == 0 && "//%".contains(operator)) {
            throw new TemplateException(line, "a division by zero");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> Math.floor(a / b);
            case "%" -> a - b * Math.floor(a / b);
            case "**" -> Math.pow(a, b);
            default -> throw new TemplateException(line, "an unknown operator " + operator);
        };
    }
}
