package io.gpuquant.device.cuda;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandleProxies;
import java.lang.reflect.Method;
import java.util.Arrays;

/**
 * Binds C functions to interfaces of one method, whose Java types say what the C types are. The interfaces are public
 * because the generated classes that implement them are not of this package.
 */
@SuppressWarnings("restricted")
final class ForeignFunctions {

    private ForeignFunctions() {}

    /**
     * The function {@code symbol} as an instance of {@code type}. The interface's method takes {@code int}, {@code long}
     * (also for device addresses) and {@link MemorySegment} (for pointers to memory of this process), and returns the
     * {@code int} status.
     *
     * @throws java.util.NoSuchElementException when the library has no such function
     */
    static <T> T bind(SymbolLookup library, String symbol, Class<T> type) {
        Method method = type.getDeclaredMethods()[0];
        MemoryLayout[] parameters = Arrays.stream(method.getParameterTypes())
                .map(ForeignFunctions::layout)
                .toArray(MemoryLayout[]::new);
        return MethodHandleProxies.asInterfaceInstance(
                type,
                Linker.nativeLinker()
                        .downcallHandle(
                                library.findOrThrow(symbol), FunctionDescriptor.of(ValueLayout.JAVA_INT, parameters)));
    }

    private static MemoryLayout layout(Class<?> type) {
        if (type == int.class) {
            return ValueLayout.JAVA_INT;
        }
        if (type == long.class) {
            return ValueLayout.JAVA_LONG;
        }
        if (type == MemorySegment.class) {
            return ValueLayout.ADDRESS;
        }
        throw new IllegalArgumentException("no C type for " + type);
    }
}
