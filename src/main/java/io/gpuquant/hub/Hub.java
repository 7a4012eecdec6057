package io.gpuquant.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.gpuquant.InputException;
import io.gpuquant.ResourceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Finds models by name: in the cache, or on the hub, from which they are downloaded into the cache. Several processes may do
 * so at the same time. Nothing gets its final name before it is complete and checked, and small files come before weights, so
 * that a snapshot with weights has all the rest.
 */
public final class Hub {

    /** How much of a model is needed. */
    public enum Parts {
        /** The configuration and the tokenizer, without weights. */
        CONFIGURATION,
        /** All that loaders need. */
        EVERYTHING
    }

    private final HubSettings settings;
    private final DownloadListener listener;

    public Hub(HubSettings settings, DownloadListener listener) {
        this.settings = settings;
        this.listener = listener;
    }

    /** The name of the model whose snapshot in a cache a folder is, without its organization; empty for any other folder. */
    public static Optional<String> nameOfSnapshot(Path folder) {
        return HubCache.nameOfSnapshot(folder);
    }

    /**
     * The folder of a model, a snapshot in the cache. Its files are links.
     *
     * @throws InputException when there is no such model, or it may not be seen, or it is damaged or in another format
     * @throws ResourceException when the hub cannot be reached or there is no room
     */
    public Path folderOf(ModelReference model, Parts parts) {
        HubCache cache = HubCache.of(settings.cache(), model);
        try {
            Optional<String> known = cache.commitOf(model);
            boolean complete = known.isPresent()
                    && absent(cache.snapshot(known.get()), parts).isEmpty();
            if (settings.offline() || (model.isCommit() && complete)) {
                return offline(model, cache, known, parts);
            }
            try (HubClient client = new HubClient(settings, listener)) {
                return online(client, model, cache, parts);
            } catch (Retries.Unreachable away) {
                if (!complete) {
                    throw away;
                }
                listener.note(settings.endpoint() + " cannot be reached; taking " + model + " from the cache as it is");
                return cache.snapshot(known.get());
            }
        } catch (JsonProcessingException damaged) {
            throw new InputException(
                    "the index of shards of " + model + " in the cache " + cache.folder()
                            + " is damaged; remove that folder and run the same command",
                    damaged);
        } catch (IOException failure) {
            throw new ResourceException(
                    "the cache of models " + cache.folder() + " cannot be used (" + Retries.reason(failure)
                            + "); check its permissions, or set HF_HOME to another folder",
                    failure);
        }
    }

    private Path offline(ModelReference model, HubCache cache, Optional<String> commit, Parts parts)
            throws IOException {
        if (commit.isEmpty() || !Files.isDirectory(cache.snapshot(commit.get()))) {
            throw new InputException("there is no folder " + model.repository() + " here, " + model
                    + " is not in the cache of models " + settings.cache()
                    + ", and HF_HUB_OFFLINE forbids to download it; unset that, or give the path of a checkpoint");
        }
        Path snapshot = cache.snapshot(commit.get());
        Optional<String> absent = absent(snapshot, parts);
        if (absent.isPresent()) {
            throw new InputException("the copy of " + model + " in the cache lacks " + absent.get() + " (" + snapshot
                    + "), and HF_HUB_OFFLINE forbids to download it; unset that");
        }
        return snapshot;
    }

    /** The first needed file that a snapshot lacks; a link whose blob is gone counts as none. */
    private static Optional<String> absent(Path snapshot, Parts parts) throws IOException {
        List<String> needed = new ArrayList<>(List.of(FileSelection.CONFIG));
        if (parts == Parts.EVERYTHING && !Files.exists(snapshot.resolve(FileSelection.SINGLE_FILE))) {
            Path index = snapshot.resolve(FileSelection.INDEX);
            if (!Files.exists(index)) {
                return Optional.of(FileSelection.SINGLE_FILE);
            }
            needed.addAll(FileSelection.shards(index));
        }
        return needed.stream()
                .filter(name -> !Files.exists(snapshot.resolve(name)))
                .findFirst();
    }

    @SuppressWarnings("try") // The lock is held, not used.
    private Path online(HubClient client, ModelReference model, HubCache cache, Parts parts) throws IOException {
        HubClient.Listing listing = client.list(model);
        String commit = listing.commit();
        List<String> small = FileSelection.small(listing.files());
        if (!small.contains(FileSelection.CONFIG)) {
            throw new InputException(model + " has no config.json, so it is no model for transformers; look at "
                    + settings.endpoint() + "/" + model.repository());
        }
        try (RepositoryLock lock = RepositoryLock.take(cache.lock(), listener)) {
            FileDownload download = new FileDownload(client, settings, listener, model, commit, cache);
            Batch batch = new Batch(client, model, commit, cache, download);
            if (parts == Parts.EVERYTHING) {
                String weights = FileSelection.weights(model, listing.files());
                List<String> first = new ArrayList<>(small);
                if (weights.equals(FileSelection.INDEX)) {
                    first.add(weights);
                }
                batch.get(first);
                batch.get(
                        weights.equals(FileSelection.INDEX)
                                ? List.copyOf(FileSelection.shards(
                                        cache.snapshot(commit).resolve(weights)))
                                : List.of(weights));
            } else {
                batch.get(small);
            }
            if (!model.isCommit()) {
                cache.setCommit(model.revision(), commit);
            }
        }
        return cache.snapshot(commit);
    }

    /** Files of one commit that are downloaded together. */
    private final class Batch {

        private final HubClient client;
        private final ModelReference model;
        private final String commit;
        private final HubCache cache;
        private final FileDownload download;

        Batch(HubClient client, ModelReference model, String commit, HubCache cache, FileDownload download) {
            this.client = client;
            this.model = model;
            this.commit = commit;
            this.cache = cache;
            this.download = download;
        }

        /** Downloads those that are not here; looks first whether there is room for all. */
        void get(List<String> names) throws IOException {
            List<HubFile> absent = new ArrayList<>();
            for (String name : names) {
                HubFile file = client.describe(model, commit, name);
                if (!isHere(file)) {
                    absent.add(file);
                }
            }
            if (absent.isEmpty()) {
                return;
            }
            long bytes = 0;
            for (HubFile file : absent) {
                bytes += download.missing(file);
            }
            requireRoom(bytes);
            listener.started(model, absent.size(), bytes);
            try {
                for (HubFile file : absent) {
                    // Another file of the same content may have brought it.
                    if (!isHere(file)) {
                        download.run(file);
                        cache.link(commit, file.name(), file.etag());
                    }
                }
            } finally {
                listener.ended();
            }
        }

        /** Whether a file is in the snapshot, after linking a blob that another commit brought. */
        private boolean isHere(HubFile file) throws IOException {
            Path entry = cache.snapshot(commit).resolve(file.name());
            if (Files.isRegularFile(entry) && Files.size(entry) == file.size()) {
                return true;
            }
            Path blob = cache.blob(file.etag());
            if (Files.isRegularFile(blob) && Files.size(blob) == file.size()) {
                cache.link(commit, file.name(), file.etag());
                return true;
            }
            return false;
        }

        private void requireRoom(long bytes) throws IOException {
            Files.createDirectories(cache.folder());
            long free = Files.getFileStore(cache.folder()).getUsableSpace();
            if (free < bytes) {
                throw new ResourceException("the download of " + model + " takes " + mebibytes(bytes) + ", but only "
                        + mebibytes(free) + " are free in the cache of models " + settings.cache()
                        + "; make room, or set HF_HOME to a folder on another disk");
            }
        }

        private static String mebibytes(long bytes) {
            return (bytes >> 20) + " MiB";
        }
    }
}
