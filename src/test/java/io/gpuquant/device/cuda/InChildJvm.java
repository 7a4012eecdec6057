package io.gpuquant.device.cuda;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Runs the test methods of a class in a process of their own, one after the other: for tests that load a fake driver, which
 * a process cannot get rid of again. Methods take no parameters; lifecycle methods are not run.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(ChildJvmExtension.class)
public @interface InChildJvm {

    /** Further arguments of the process, which override those it gets anyway. */
    String[] arguments() default {};
}
