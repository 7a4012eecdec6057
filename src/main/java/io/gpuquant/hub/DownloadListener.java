package io.gpuquant.hub;

/** Hears how a download goes on. */
public interface DownloadListener {

    /** Files will be downloaded: so many, with so many bytes that are not here yet. */
    default void started(ModelReference model, int files, long bytes) {}

    /** So many of the bytes have arrived. */
    default void received(long bytes) {}

    /** All are here, or the download failed. */
    default void ended() {}

    /** Something that is worth a line, such as that a connection was dropped. */
    default void note(String line) {}
}
