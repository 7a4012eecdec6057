package io.gpuquant.calibration;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystemAlreadyExistsException;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.util.Map;

/** Finds the calibration text that is part of the program, in its jar or beside its classes. */
final class BuiltInText {

    private static final String NAME = "built-in.jsonl";

    private BuiltInText() {}

    static Path path() {
        URL resource = BuiltInText.class.getResource(NAME);
        if (resource == null) {
            throw new IllegalStateException(NAME + " is missing from this build");
        }
        try {
            URI uri = resource.toURI();
            if (uri.getScheme().equals("jar")) {
                openJar(uri);
            }
            return Path.of(uri);
        } catch (URISyntaxException | IOException failure) {
            throw new IllegalStateException("the built-in calibration text cannot be read", failure);
        }
    }

    /** A path inside a jar needs the jar's file system, which stays open as long as the program runs. */
    private static void openJar(URI uri) throws IOException {
        try {
            FileSystems.newFileSystem(uri, Map.of());
        } catch (FileSystemAlreadyExistsException alreadyOpen) {
            // Opened by an earlier call.
        }
    }
}
