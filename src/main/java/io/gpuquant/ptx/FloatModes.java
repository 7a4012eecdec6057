package io.gpuquant.ptx;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Wraps float32 functions for {@code .ftz} and {@code .sat}. The same wrapper is returned for the same function, so that
 * the loops made for it are shared.
 */
final class FloatModes {

    private record Key(Object function, boolean flush, boolean saturate) {}

    private static final Map<Key, Object> WRAPPED = new ConcurrentHashMap<>();

    private FloatModes() {}

    static LaneFunctions.Int1 wrap1(Modifiers modifiers, LaneFunctions.Int1 f) {
        Key key = new Key(f, modifiers.take("ftz"), modifiers.take("sat"));
        return !key.flush && !key.saturate
                ? f
                : (LaneFunctions.Int1) WRAPPED.computeIfAbsent(key, k ->
                        (LaneFunctions.Int1) a -> finish(k, f.apply(start(k, a))));
    }

    static LaneFunctions.Int2 wrap2(Modifiers modifiers, LaneFunctions.Int2 f) {
        Key key = new Key(f, modifiers.take("ftz"), modifiers.take("sat"));
        return !key.flush && !key.saturate
                ? f
                : (LaneFunctions.Int2) WRAPPED.computeIfAbsent(key, k ->
                        (LaneFunctions.Int2) (a, b) -> finish(k, f.apply(start(k, a), start(k, b))));
    }

    static LaneFunctions.Int3 wrap3(Modifiers modifiers, LaneFunctions.Int3 f) {
        Key key = new Key(f, modifiers.take("ftz"), modifiers.take("sat"));
        return !key.flush && !key.saturate
                ? f
                : (LaneFunctions.Int3) WRAPPED.computeIfAbsent(key, k ->
                        (LaneFunctions.Int3) (a, b, c) -> finish(k, f.apply(start(k, a), start(k, b), start(k, c))));
    }

    private static int start(Key key, int bits) {
        return key.flush ? FloatBits.flush(bits) : bits;
    }

    private static int finish(Key key, int bits) {
        int flushed = key.flush ? FloatBits.flush(bits) : bits;
        return key.saturate ? FloatBits.saturate(flushed) : flushed;
    }
}
