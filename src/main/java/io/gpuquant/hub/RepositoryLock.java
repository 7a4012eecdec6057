package io.gpuquant.hub;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps two downloads of the same repository from each other, in two threads or in two processes: the second waits. A lock
 * of a process that was killed is gone with it.
 */
final class RepositoryLock implements AutoCloseable {

    /** A file lock belongs to the whole process, so threads take turns by these. */
    private static final Map<Path, ReentrantLock> OF_THREADS = new ConcurrentHashMap<>();

    private final ReentrantLock ofThreads;
    private final FileChannel file;

    private RepositoryLock(ReentrantLock ofThreads, FileChannel file) {
        this.ofThreads = ofThreads;
        this.file = file;
    }

    /** Takes the lock, after waiting for it if need be, which the listener hears of. */
    static RepositoryLock take(Path path, DownloadListener listener) throws IOException {
        Files.createDirectories(path.getParent());
        ReentrantLock ofThreads =
                OF_THREADS.computeIfAbsent(path.toAbsolutePath().normalize(), key -> new ReentrantLock());
        if (!ofThreads.tryLock()) {
            listener.note("waiting for another download of the same model");
            ofThreads.lock();
        }
        FileChannel file = null;
        try {
            file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock lock = file.tryLock();
            if (lock == null) {
                listener.note("waiting for another process that downloads the same model");
                lock = file.lock();
            }
            return new RepositoryLock(ofThreads, file);
        } catch (Throwable failure) {
            if (file != null) {
                file.close();
            }
            ofThreads.unlock();
            throw failure;
        }
    }

    @Override
    public void close() throws IOException {
        try {
            file.close();
        } finally {
            ofThreads.unlock();
        }
    }
}
