package io.gpuquant.ptx;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Wraps float32 functions for {@code .ftz}, {@code .sat} and the canonical NaN. The same wrapper is returned for the same
 * function, so that the loops made for it are shared.
 *
 * <p>A fast machine leaves a NaN the payload that the processor gives it: making it canonical would keep HotSpot from
 * vectorizing the commonest loops, and no kernel may look at a payload.
 */
final class FloatModes {

    private record Key(Object function, boolean flush, boolean saturate, boolean canonical) {}

    private static final Map<Key, Object> WRAPPED = new ConcurrentHashMap<>();

    private final Modifiers modifiers;
    private final boolean canonical;

    /**
     * @param canonical whether every NaN becomes the canonical one
     */
    FloatModes(Modifiers modifiers, boolean canonical) {
        this.modifiers = modifiers;
        this.canonical = canonical;
    }

    LaneFunctions.Int1 wrap1(LaneFunctions.Int1 f) {
        Key key = key(f);
        return isPlain(key)
                ? f
                : (LaneFunctions.Int1) WRAPPED.computeIfAbsent(key, k ->
                        (LaneFunctions.Int1) a -> finish(k, f.apply(start(k, a))));
    }

    LaneFunctions.Int2 wrap2(LaneFunctions.Int2 f) {
        Key key = key(f);
        return isPlain(key)
                ? f
                : (LaneFunctions.Int2) WRAPPED.computeIfAbsent(key, k ->
                        (LaneFunctions.Int2) (a, b) -> finish(k, f.apply(start(k, a), start(k, b))));
    }

    LaneFunctions.Int3 wrap3(LaneFunctions.Int3 f) {
        Key key = key(f);
        return isPlain(key)
                ? f
                : (LaneFunctions.Int3) WRAPPED.computeIfAbsent(key, k ->
                        (LaneFunctions.Int3) (a, b, c) -> finish(k, f.apply(start(k, a), start(k, b), start(k, c))));
    }

    private Key key(Object function) {
        return new Key(function, modifiers.take("ftz"), modifiers.take("sat"), canonical);
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
