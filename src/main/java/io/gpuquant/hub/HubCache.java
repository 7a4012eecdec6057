package io.gpuquant.hub;

import java.io.IOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * One repository in the cache of Hugging Face's tools:
 *
 * <pre>
 * models--org--name/refs/main              the commit that the branch was at
 * models--org--name/snapshots/COMMIT/FILE  a relative link to ../../blobs/ETAG
 * models--org--name/blobs/ETAG             the content, complete and checked
 * models--org--name/blobs/ETAG.incomplete  the content as far as it has come
 * .locks/models--org--name/                locks
 * </pre>
 *
 * @param cache the folder of all repositories
 * @param folder the folder of this one
 */
record HubCache(Path cache, Path folder) {

    private static final String FOLDER_PREFIX = "models--";
    private static final String SNAPSHOTS = "snapshots";

    static HubCache of(Path cache, ModelReference model) {
        return new HubCache(cache, cache.resolve(FOLDER_PREFIX + model.organization() + "--" + model.name()));
    }

    /** The name of the model whose snapshot a folder is, without its organization; empty for any other folder. */
    static Optional<String> nameOfSnapshot(Path folder) {
        Path absolute = folder.toAbsolutePath().normalize();
        int names = absolute.getNameCount();
        if (names < 3 || !absolute.getName(names - 2).toString().equals(SNAPSHOTS)) {
            return Optional.empty();
        }
        String repository = absolute.getName(names - 3).toString();
        if (!repository.startsWith(FOLDER_PREFIX)) {
            return Optional.empty();
        }
        return Optional.of(repository.substring(repository.lastIndexOf("--") + 2))
                .filter(name -> !name.isEmpty());
    }

    /** The commit of a revision as far as the cache knows it. */
    Optional<String> commitOf(ModelReference model) throws IOException {
        if (model.isCommit()) {
            return Optional.of(model.revision());
        }
        try {
            String commit = Files.readString(ref(model.revision())).strip();
            return Optional.of(commit).filter(text -> text.matches("[0-9A-Za-z]{1,64}"));
        } catch (NoSuchFileException unknown) {
            return Optional.empty();
        }
    }

    /** Notes which commit a revision is at; the last step of a download. */
    void setCommit(String revision, String commit) throws IOException {
        Path ref = ref(revision);
        Files.createDirectories(ref.getParent());
        Path fresh = Files.createTempFile(ref.getParent(), "ref", ".tmp");
        Files.writeString(fresh, commit);
        moveOver(fresh, ref);
    }

    private Path ref(String revision) {
        return folder.resolve("refs").resolve(revision);
    }

    Path snapshot(String commit) {
        return folder.resolve(SNAPSHOTS).resolve(commit);
    }

    Path blob(String etag) {
        return folder.resolve("blobs").resolve(etag);
    }

    Path incomplete(String etag) {
        return folder.resolve("blobs").resolve(etag + ".incomplete");
    }

    Path lock() {
        return cache.resolve(".locks").resolve(folder.getFileName()).resolve("gpuquant.lock");
    }

    /**
     * Gives a complete blob its name in a snapshot. Where the file system has no links, the blob itself moves there, as
     * Hugging Face's tools do.
     */
    void link(String commit, String file, String etag) throws IOException {
        Path parent = snapshot(commit);
        Path entry = parent.resolve(file);
        Files.createDirectories(parent);
        Path fresh = parent.resolve("." + file + ".link");
        Files.deleteIfExists(fresh);
        try {
            Files.createSymbolicLink(fresh, parent.relativize(blob(etag)));
        } catch (UnsupportedOperationException | IOException noLinks) {
            moveOver(blob(etag), entry);
            return;
        }
        moveOver(fresh, entry);
    }

    /** Moves a file to a name that it takes in one step. */
    static void moveOver(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
