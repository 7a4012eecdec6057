package io.gpuquant.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;

/**
 * A file of a repository as the hub describes it.
 *
 * @param name its name in the repository
 * @param etag what its content is called in the cache: the SHA-256 of a large file, the Git blob identifier (SHA-1) of a
 *     small one
 * @param size bytes
 */
record HubFile(String name, String etag, long size) {

    private static final Pattern SHA_256 = Pattern.compile("[0-9a-f]{64}");
    private static final Pattern SHA_1 = Pattern.compile("[0-9a-f]{40}");

    /** Whether a file has the content that the etag stands for; of an etag of another kind, whether it has the size. */
    boolean isContentOf(Path path) throws IOException {
        if (Files.size(path) != size) {
            return false;
        }
        if (SHA_256.matcher(etag).matches()) {
            return etag.equals(digest(path, "SHA-256", ""));
        }
        if (SHA_1.matcher(etag).matches()) {
            return etag.equals(digest(path, "SHA-1", "blob " + size + "\0"));
        }
        return true;
    }

    private static String digest(Path path, String algorithm, String prefix) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError("every Java platform has " + algorithm, impossible);
        }
        digest.update(prefix.getBytes(StandardCharsets.UTF_8));
        byte[] buffer = new byte[1 << 20];
        try (InputStream in = Files.newInputStream(path)) {
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
