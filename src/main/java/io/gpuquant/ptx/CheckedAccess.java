package io.gpuquant.ptx;

/** A load or store of a checked machine: the checks, and then what a fast one does. */
final class CheckedAccess extends Operation {

    private final MemorySpace space;
    private final AddressSource source;
    private final int bytes;
    private final AccessKind kind;
    private final Operation access;

    /**
     * @param bytes that each lane accesses
     */
    CheckedAccess(MemorySpace space, AddressSource source, int bytes, AccessKind kind, Operation access) {
        this.space = space;
        this.source = source;
        this.bytes = bytes;
        this.kind = kind;
        this.access = access;
    }

    @Override
    void execute(Warp warp, int mask) {
        source.gather(warp, mask, warp.addresses);
        space.check(warp, mask, warp.addresses, bytes, kind);
        access.execute(warp, mask);
    }
}
