package io.gpuquant.kernels.selftest;

import io.gpuquant.device.Device;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.Stream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A device that launches other kernels than it is told to. */
final class InterceptedDevice {

    private InterceptedDevice() {}

    /** The same device, but for the kernels; the library for products sees the real stream. */
    static Device of(Device device, UnaryOperator<KernelEntry> kernels) {
        Stream stream = proxy(Stream.class, device.stream(), (method, arguments) -> {
            if (method.equals("launch")) {
                arguments[0] = kernels.apply((KernelEntry) arguments[0]);
            }
            return null;
        });
        return proxy(Device.class, device, (method, arguments) -> method.equals("stream") ? stream : null);
    }

    /** Sees a call first. */
    interface Interceptor {

        /** The call's result, or null if the target is to be called, with what then are the arguments. */
        @Nullable
        Object before(String method, Object[] arguments);
    }

    static <T> T proxy(Class<T> type, T target, Interceptor interceptor) {
        return type.cast(Proxy.newProxyInstance(
                InterceptedDevice.class.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
                    Object result = interceptor.before(method.getName(), arguments);
                    if (result != null) {
                        return result;
                    }
                    try {
                        return method.invoke(target, arguments);
                    } catch (InvocationTargetException failure) {
                        throw failure.getCause();
                    }
                }));
    }
}
