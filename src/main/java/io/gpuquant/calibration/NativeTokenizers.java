package io.gpuquant.calibration;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import io.gpuquant.ResourceException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Loads the native library of the Hugging Face tokenizers, which DJL carries in its jar (15 MB, glibc 2.34 or newer), once
 * per process.
 *
 * <p>It comes from the file that {@code RUST_LIBRARY_PATH} names, an environment variable or system property of DJL.
 * Without that it is unpacked to a new temporary folder that only this user can enter, which is deleted as soon as the
 * library is loaded.
 *
 * <p>DJL's own way, unpacking to {@code ~/.djl.ai} once, is not used: with a read-only home folder it falls back to a fixed
 * name in the shared temporary folder and loads whatever another user has put there, and after a run that saw a GPU it
 * fails on every machine without one that shares the home folder. So nothing is left in the home folder either.
 *
 * <p>DJL would also report home once a day, look for CUDA builds of the library on the network, and log to standard error;
 * all three are switched off unless system properties or the environment say otherwise ({@code ai.djl.offline},
 * {@code OPT_OUT_TRACKING}, {@code org.slf4j.simpleLogger.log.ai.djl}).
 */
final class NativeTokenizers {

    private static final String PATH_VARIABLE = "RUST_LIBRARY_PATH";
    private static final String LIBRARY = System.mapLibraryName("tokenizers");

    private static boolean loaded;

    private NativeTokenizers() {}

    /**
     * Loads the library unless that was done before.
     *
     * @throws ResourceException when it cannot be unpacked or loaded
     */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        setIfAbsent("ai.djl.offline", "true");
        setIfAbsent("OPT_OUT_TRACKING", "true");
        setIfAbsent("org.slf4j.simpleLogger.log.ai.djl", "off");
        Optional<Path> named = named();
        if (named.isPresent()) {
            loadFrom(named.get());
        } else {
            loadFromJar();
        }
        loaded = true;
    }

    private static Optional<Path> named() {
        Optional<Path> named = Optional.ofNullable(System.getenv(PATH_VARIABLE))
                .or(() -> Optional.ofNullable(System.getProperty(PATH_VARIABLE)))
                .map(Path::of);
        // DJL takes folders too, but only where it sees a GPU.
        if (named.filter(path -> !Files.isRegularFile(path)).isPresent()) {
            throw new ResourceException(PATH_VARIABLE + " names " + named.get()
                    + ", which is no file; set it to the file " + LIBRARY + " or not at all");
        }
        return named;
    }

    private static void loadFrom(Path library) {
        setIfAbsent(PATH_VARIABLE, library.toString());
        try {
            LibUtils.checkStatus();
        } catch (EngineException | LinkageError e) {
            throw new ResourceException(
                    "the native tokenizer library cannot be loaded from " + library + " (" + reason(e)
                            + "); it needs glibc 2.34 or newer and a folder that files may be executed from, which"
                            + " JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=DIR can name",
                    e);
        }
    }

    private static void loadFromJar() {
        String resource = "/native/lib/" + platform() + "/cpu/" + LIBRARY;
        Path folder = null;
        try (InputStream in = LibUtils.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new ResourceException("there is no native tokenizer library for this platform (" + platform()
                        + "); build one and set the environment variable " + PATH_VARIABLE + " to it");
            }
            folder = Files.createTempDirectory("gpuquant-");
            Path library = folder.resolve(LIBRARY);
            Files.copy(in, library);
            loadFrom(library);
        } catch (IOException e) {
            throw new ResourceException(
                    "the native tokenizer library cannot be unpacked to " + System.getProperty("java.io.tmpdir") + " ("
                            + reason(e) + "); name a folder with 16 MB of space with"
                            + " JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=DIR",
                    e);
        } finally {
            delete(folder);
        }
    }

    /** The name that DJL's jar has for this operating system and processor. */
    private static String platform() {
        String system = System.getProperty("os.name").startsWith("Mac") ? "osx" : "linux";
        String processor = System.getProperty("os.arch");
        return system + "-" + (processor.equals("amd64") ? "x86_64" : processor);
    }

    /** A loaded library stays usable after its file is gone. */
    private static void delete(@Nullable Path folder) {
        if (folder == null) {
            return;
        }
        try {
            Files.deleteIfExists(folder.resolve(LIBRARY));
            Files.delete(folder);
        } catch (IOException e) {
            // The tokenizer works all the same, and the system cleans its temporary folder.
        }
    }

    private static void setIfAbsent(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }

    private static String reason(Throwable failure) {
        Throwable root = failure;
        for (Throwable cause = root.getCause(); cause != null; cause = root.getCause()) {
            root = cause;
        }
        return String.valueOf(root.getMessage());
    }
}
