package io.gpuquant.device.cuda;

import java.nio.file.Path;

/** The fake cuBLAS of {@code src/test/c/fakecublas.c}, which needs the fake driver in the same process. */
final class FakeCublas {

    private static int compiled;

    private FakeCublas() {}

    /**
     * Compiles it as the library of a major version, under a name that no other library has; it does nothing before
     * something loads it.
     */
    static Path compile(FakeCuda driver, int version, String... options) {
        String[] all = new String[options.length + 2];
        all[0] = driver.library().toString();
        all[1] = "-DVERSION=" + version;
        System.arraycopy(options, 0, all, 2, options.length);
        return NativeLibraries.compile("fakecublas.c", "libcublas-fake" + compiled++ + ".so." + version, all);
    }
}
