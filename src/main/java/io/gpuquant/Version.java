package io.gpuquant;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** Which gpuquant this is. */
public final class Version {

    private static final String NUMBER = read();

    private Version() {}

    /** The version number, such as {@code 0.1.0}. */
    public static String number() {
        return NUMBER;
    }

    private static String read() {
        try (InputStream stream = Version.class.getResourceAsStream("version.properties")) {
            if (stream == null) {
                throw new IllegalStateException("version.properties is missing from this build");
            }
            Properties properties = new Properties();
            properties.load(stream);
            return properties.getProperty("version");
        } catch (IOException failure) {
            throw new IllegalStateException("version.properties cannot be read", failure);
        }
    }
}
