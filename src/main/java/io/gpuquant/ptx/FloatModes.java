package io.gpuquant.ptx;

/**
 * Wraps float32 functions for {@code .ftz}, {@code .sat} and the canonical NaN. The same wrapper is returned for the same
 * function, so that the loops made for it are shared.
 *
 * <p>A fast machine leaves a NaN the payload that the processor gives it: making it canonical would make the commonest
 * loops a quarter slower, and no kernel may look at a payload.
 */
final class FloatModes {

    private record Key(Object function, boolean flush, boolean saturate, boolean canonical) {}

    private final boolean flush;
    private final boolean saturate;
    private final boolean canonical;

    private FloatModes(boolean flush, boolean saturate, boolean canonical) {
        this.flush = flush;
        this.saturate = saturate;
        this.canonical = canonical;
    }

    /** For instructions that may flush subnormals. */
    static FloatModes flushing(Modifiers modifiers, MachineOptions options) {
        return new FloatModes(modifiers.take("ftz"), false, options.isChecked());
    }

    /** For instructions that may also clamp their result to [0, 1]. */
    static FloatModes saturating(Modifiers modifiers, MachineOptions options) {
        return new FloatModes(modifiers.take("ftz"), modifiers.take("sat"), options.isChecked());
    }

    LaneFunctions.Int1 wrap1(LaneFunctions.Int1 f) {
        Key key = key(f);
        return isPlain(key) ? f : LaneFunctions.shared(key, () -> a -> finish(key, f.apply(start(key, a))));
    }

    LaneFunctions.Int2 wrap2(LaneFunctions.Int2 f) {
        Key key = key(f);
        return isPlain(key)
                ? f
                : LaneFunctions.shared(key, () -> (a, b) -> finish(key, f.apply(start(key, a), start(key, b))));
    }

    LaneFunctions.Int3 wrap3(LaneFunctions.Int3 f) {
        Key key = key(f);
        return isPlain(key)
                ? f
                : LaneFunctions.shared(
                        key, () -> (a, b, c) -> finish(key, f.apply(start(key, a), start(key, b), start(key, c))));
    }

    private Key key(Object function) {
        return new Key(function, flush, saturate, canonical);
    }

    private static boolean isPlain(Key key) {
        return !key.flush && !key.saturate && !key.canonical;
    }

    private static int start(Key key, int bits) {
        return key.flush ? FloatBits.flush(bits) : bits;
    }

    private static int finish(Key key, int bits) {
        int result = key.canonical ? FloatBits.canonical(bits) : bits;
        result = key.flush ? FloatBits.flush(result) : result;
        return key.saturate ? FloatBits.saturate(result) : result;
    }
}
