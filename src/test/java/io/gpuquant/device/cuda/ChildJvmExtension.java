package io.gpuquant.device.cuda;

import java.lang.reflect.Method;
import java.util.Objects;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/** Sends each test method of a class to a {@link ChildJvm} instead of running it here. */
final class ChildJvmExtension implements BeforeAllCallback, AfterAllCallback, InvocationInterceptor {

    private static final Namespace NAMESPACE = Namespace.create(ChildJvmExtension.class);

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        Class<?> testClass = context.getRequiredTestClass();
        InChildJvm settings = testClass.getAnnotation(InChildJvm.class);
        context.getStore(NAMESPACE).put(ChildJvm.class, ChildJvm.start(testClass, settings.arguments()));
    }

    @Override
    public void interceptTestMethod(
            Invocation<Void> invocation, ReflectiveInvocationContext<Method> method, ExtensionContext context)
            throws Exception {
        invocation.skip();
        child(context).run(method.getExecutable().getName());
    }

    @Override
    public void afterAll(ExtensionContext context) throws Exception {
        child(context).stop();
    }

    private static ChildJvm child(ExtensionContext context) {
        return Objects.requireNonNull(context.getStore(NAMESPACE).get(ChildJvm.class, ChildJvm.class));
    }
}
