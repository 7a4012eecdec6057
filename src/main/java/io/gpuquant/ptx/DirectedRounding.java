package io.gpuquant.ptx;

import java.math.BigDecimal;

/**
 * float32 arithmetic rounded other than to nearest, exactly, by decimal arithmetic. Compilers use it in range reductions;
 * no kernel of the product does, so that it is slow does not matter.
 */
final class DirectedRounding {

    /** The direction. */
    enum Mode {
        TOWARD_ZERO,
        DOWN,
        UP
    }

    private DirectedRounding() {}

    /** {@code a * b + c}, rounded once. */
    static float fma(float a, float b, float c, Mode mode) {
        float nearest = Math.fma(a, b, c);
        if (Float.isNaN(nearest) || !(Float.isFinite(a) && Float.isFinite(b) && Float.isFinite(c))) {
            return nearest;
        }
        BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
        if (exact.signum() == 0) {
            // A sum of opposite terms is +0, but -0 when rounding down.
            boolean product = Math.copySign(1f, a) * Math.copySign(1f, b) < 0;
            boolean bothNegative = product && Math.copySign(1f, c) < 0;
            boolean bothPositive = !product && Math.copySign(1f, c) > 0;
            return bothNegative || !bothPositive && mode == Mode.DOWN ? -0f : 0f;
        }
        return round(exact, nearest, mode);
    }

    /** The float32 next to an exact non-zero value in the given direction; {@code nearest} is it rounded to nearest. */
    static float round(BigDecimal exact, float nearest, Mode mode) {
        boolean up = mode == Mode.UP || mode == Mode.TOWARD_ZERO && exact.signum() < 0;
        if (Float.isInfinite(nearest)) {
            boolean positive = nearest > 0;
            return positive == up ? nearest : Math.copySign(Float.MAX_VALUE, nearest);
        }
        int comparison = new BigDecimal(nearest).compareTo(exact);
        if (up && comparison < 0) {
            return Math.nextUp(nearest);
        }
        if (!up && comparison > 0) {
            return Math.nextDown(nearest);
        }
        // A result that vanishes keeps the sign of the exact value.
        return nearest == 0 ? Math.copySign(0f, exact.signum()) : nearest;
    }
}
