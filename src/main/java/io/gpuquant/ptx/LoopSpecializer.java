package io.gpuquant.ptx;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Makes one class per lane function out of a loop template.
 *
 * <p>HotSpot compiles a method once, whatever object it runs on. A single loop class that called its lane function
 * through a field would see dozens of them and inline none: ten times slower. So each function gets its own copy of the
 * class, a hidden class defined from the template's bytes, in which the function is a constant.
 */
final class LoopSpecializer {

    private record Key(Class<?> template, Object function) {}

    private static final Map<Key, MethodHandle> CONSTRUCTORS = new ConcurrentHashMap<>();
    private static final Map<Class<?>, byte[]> TEMPLATES = new ConcurrentHashMap<>();

    private LoopSpecializer() {}

    /** An operation made from {@code template} for this function and these registers. */
    static Operation operation(Class<? extends Operation> template, Object function, int... registers) {
        return (Operation) create(template, function, registers);
    }

    /** A comparison made from {@code template} for this condition and these registers. */
    static Comparison comparison(Class<? extends Comparison> template, Object condition, int... registers) {
        return (Comparison) create(template, condition, registers);
    }

    /** An object of a class made from {@code template} for this constant alone, which no other object will share. */
    static Object single(Class<?> template, Object constant, int... arguments) {
        return instantiate(specialize(new Key(template, constant)), template, arguments);
    }

    private static Object create(Class<?> template, Object function, int[] registers) {
        return instantiate(
                CONSTRUCTORS.computeIfAbsent(new Key(template, function), LoopSpecializer::specialize),
                template,
                registers);
    }

    private static Object instantiate(MethodHandle constructor, Class<?> template, int[] arguments) {
        try {
            return constructor.invokeExact(arguments);
        } catch (Throwable failure) {
            throw new IllegalStateException("cannot instantiate " + template, failure);
        }
    }

    /** Called by the hidden class: the function that it was made for. */
    static <T> T operationOf(MethodHandles.Lookup hiddenClass, Class<T> type) {
        try {
            return MethodHandles.classData(hiddenClass, "_", type);
        } catch (IllegalAccessException failure) {
            throw new IllegalStateException(failure);
        }
    }

    private static MethodHandle specialize(Key key) {
        byte[] bytes = TEMPLATES.computeIfAbsent(key.template(), LoopSpecializer::bytesOf);
        try {
            MethodHandles.Lookup hidden =
                    MethodHandles.lookup().defineHiddenClassWithClassData(bytes, key.function(), true);
            return hidden.findConstructor(hidden.lookupClass(), MethodType.methodType(void.class, int[].class))
                    .asType(MethodType.methodType(Object.class, int[].class));
        } catch (IllegalAccessException | NoSuchMethodException failure) {
            throw new IllegalStateException("cannot specialize " + key.template(), failure);
        }
    }

    private static byte[] bytesOf(Class<?> template) {
        try (InputStream stream = template.getResourceAsStream(template.getSimpleName() + ".class")) {
            if (stream == null) {
                throw new IllegalStateException("no class file for " + template);
            }
            return stream.readAllBytes();
        } catch (IOException failure) {
            throw new IllegalStateException("cannot read the class file of " + template, failure);
        }
    }
}
