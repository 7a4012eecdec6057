package io.gpuquant.hub;

import io.gpuquant.InputException;
import io.gpuquant.ResourceException;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Downloads files into blobs of the cache. A file grows under a name that ends in {@code .incomplete}, and a later run goes on
 * where it stopped; it gets its own name when its content has been checked.
 */
final class FileDownload {

    private static final int PARTIAL_CONTENT = 206;
    private static final int RANGE_NOT_SATISFIABLE = 416;

    private final HubClient client;
    private final HubSettings settings;
    private final DownloadListener listener;
    private final ModelReference model;
    private final String commit;
    private final HubCache cache;

    FileDownload(
            HubClient client,
            HubSettings settings,
            DownloadListener listener,
            ModelReference model,
            String commit,
            HubCache cache) {
        this.client = client;
        this.settings = settings;
        this.listener = listener;
        this.model = model;
        this.commit = commit;
        this.cache = cache;
    }

    /** Bytes of a file that are not here yet. */
    long missing(HubFile file) throws IOException {
        long have = sizeOf(cache.incomplete(file.etag()));
        return have > file.size() ? file.size() : file.size() - have;
    }

    /**
     * Makes the blob of a file.
     *
     * @throws InputException when what the hub sends is twice not what it announced
     * @throws ResourceException when the hub cannot be reached or the disk is full
     */
    void run(HubFile file) throws IOException {
        Path incomplete = cache.incomplete(file.etag());
        Files.createDirectories(incomplete.getParent());
        if (!receiveChecked(file, incomplete)) {
            listener.note(file.name() + " has arrived damaged; downloading it again");
            if (!receiveChecked(file, incomplete)) {
                throw new InputException(model + " " + file.name()
                        + " arrived twice with another checksum than the hub gives for it (" + file.etag()
                        + "); try again later, or use another HF_ENDPOINT");
            }
        }
        HubCache.moveOver(incomplete, cache.blob(file.etag()));
    }

    /** Whether the content is right; a wrong one is removed. */
    private boolean receiveChecked(HubFile file, Path incomplete) throws IOException {
        receive(file, incomplete);
        if (file.isContentOf(incomplete)) {
            return true;
        }
        Files.delete(incomplete);
        listener.received(-file.size());
        return false;
    }

    private void receive(HubFile file, Path incomplete) throws IOException {
        Retries retries = new Retries(settings, listener, model + " " + file.name());
        try (FileChannel out = FileChannel.open(incomplete, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (out.size() > file.size()) {
                out.truncate(0);
            }
            while (out.size() < file.size()) {
                long before = out.size();
                try {
                    transfer(file, out);
                } catch (IOException dropped) {
                    if (out.size() > before) {
                        retries.progressed();
                    }
                    retries.pauseAfter(dropped);
                }
            }
            out.force(true);
        }
    }

    private void transfer(HubFile file, FileChannel out) throws IOException {
        long have = out.size();
        HttpResponse<InputStream> response = client.open(model, commit, file.name(), have);
        try (InputStream body = response.body();
                SilenceGuard guard = new SilenceGuard(body, settings.silence())) {
            if (response.statusCode() == RANGE_NOT_SATISFIABLE || !continues(response, have)) {
                out.truncate(0);
                listener.received(-have);
                if (response.statusCode() != 200) {
                    throw new IOException("the server does not go on where the file stopped");
                }
            }
            out.position(out.size());
            byte[] buffer = new byte[1 << 18];
            for (int read = body.read(buffer); read >= 0; read = body.read(buffer)) {
                guard.heard();
                write(file, out, ByteBuffer.wrap(buffer, 0, read));
                listener.received(read);
            }
        }
        if (out.size() < file.size()) {
            throw new IOException("the connection was dropped");
        }
    }

    /** Whether an answer begins where the file stopped. */
    private static boolean continues(HttpResponse<?> response, long have) {
        return response.statusCode() == PARTIAL_CONTENT
                ? response.headers().firstValue("Content-Range").orElse("").startsWith("bytes " + have + "-")
                : have == 0;
    }

    private static void write(HubFile file, FileChannel out, ByteBuffer bytes) throws IOException {
        if (out.position() + bytes.remaining() > file.size()) {
            out.truncate(0);
            throw new IOException("the server sends more than the " + file.size() + " bytes that it announced");
        }
        try {
            while (bytes.hasRemaining()) {
                out.write(bytes);
            }
        } catch (IOException full) {
            throw new ResourceException(
                    file.name() + " cannot be written to the cache of models (" + full.getMessage()
                            + "); make room or set HF_HOME to another disk, and run the same command, which goes on where"
                            + " it stopped",
                    full);
        }
    }

    private static long sizeOf(Path file) throws IOException {
        return Files.exists(file) ? Files.size(file) : 0;
    }
}
