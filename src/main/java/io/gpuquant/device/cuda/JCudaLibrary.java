package io.gpuquant.device.cuda;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/**
 * Loads JCuda's native code from {@code java.library.path} and from nowhere else. Left to itself, JCuda falls back to a
 * fixed file name in the folder for temporary files, which other users may have written; loading the right file first makes
 * its own search end there.
 */
@SuppressWarnings("restricted")
final class JCudaLibrary {

    private JCudaLibrary() {}

    /**
     * Loads it, unless that is done already.
     *
     * @param libraryPath the value of {@code java.library.path} that this process was started with
     * @throws NoGpuException when it is not there or does not load
     */
    static void load(String libraryPath) throws NoGpuException {
        String name = System.mapLibraryName(LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get()));
        List<Path> folders = Arrays.stream(libraryPath.split(File.pathSeparator))
                .filter(folder -> !folder.isBlank())
                .map(folder -> Path.of(folder).toAbsolutePath())
                .toList();
        Optional<Path> file = folders.stream()
                .map(folder -> folder.resolve(name))
                .filter(Files::isRegularFile)
                .findFirst();
        if (file.isEmpty()) {
            throw new NoGpuException("JCuda's " + name + " was not found in " + folders
                    + "; start gpuquant by its launcher, or with -Djava.library.path=LIB/native");
        }
        try {
            System.load(file.get().toString());
        } catch (UnsatisfiedLinkError e) {
            throw new NoGpuException("JCuda's " + file.get() + " cannot be loaded: " + e.getMessage());
        }
    }
}
