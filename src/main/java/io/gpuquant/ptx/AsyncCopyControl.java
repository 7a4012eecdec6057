package io.gpuquant.ptx;

/** {@code cp.async.commit_group}, {@code wait_group} and {@code wait_all}. */
final class AsyncCopyControl extends Operation {

    enum Kind {
        COMMIT,
        WAIT
    }

    private final Kind kind;
    private final int pending;

    /**
     * @param pending how many groups may still be under way after a wait, or -1 for none and nothing uncommitted
     */
    AsyncCopyControl(Kind kind, int pending) {
        this.kind = kind;
        this.pending = pending;
    }

    @Override
    void execute(Warp warp, int mask) {
        AsyncCopies copies = warp.asyncCopies();
        if (copies == null) {
            return;
        }
        if (kind == Kind.COMMIT) {
            copies.commit(mask);
        } else {
            copies.await(warp, mask, pending);
        }
    }
}
