package io.gpuquant.ptx;

/** Generic addresses: those of global memory are real addresses, and windows far above hold shared and local memory. */
final class GenericSpace {

    static final long SHARED_WINDOW = 0x4000_0000_0000_0000L;
    static final long LOCAL_WINDOW = 0x2000_0000_0000_0000L;
    static final long OFFSET_MASK = 0xffff_ffffL;

    private GenericSpace() {}

    /** The window of a space; zero for global memory, which needs none. */
    static long windowOf(String space) {
        return switch (space) {
            case "shared" -> SHARED_WINDOW;
            case "local" -> LOCAL_WINDOW;
            default -> 0;
        };
    }
}
