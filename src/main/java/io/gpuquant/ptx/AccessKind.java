package io.gpuquant.ptx;

/** What an access does to memory. */
enum AccessKind {
    READ("load"),
    WRITE("store"),
    /** Reads, computes and writes back, without another thread between. */
    ATOMIC("atomic operation");

    private final String word;

    AccessKind(String word) {
        this.word = word;
    }

    /** For messages. */
    @Override
    public String toString() {
        return word;
    }
}
