package io.gpuquant.job;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/** Writes tensors and keeps the checksum of each, to be compared with what is read back. */
final class TensorOutput {

    private static final long PIECE = 1 << 24;

    /** Where whole tensors go. */
    @FunctionalInterface
    interface Target {
        void write(String name, MemorySegment data);
    }

    private final Target target;
    private final Map<String, Long> checksums = new LinkedHashMap<>();

    TensorOutput(Target target) {
        this.target = target;
    }

    void write(String name, MemorySegment data) {
        target.write(name, data);
        checksums.put(name, checksum(data));
    }

    /** What was written since the last call. */
    Map<String, Long> takeChecksums() {
        Map<String, Long> taken = new LinkedHashMap<>(checksums);
        checksums.clear();
        return taken;
    }

    /** Puts back what was taken. */
    void restore(Map<String, Long> taken) {
        checksums.putAll(taken);
    }

    static long checksum(MemorySegment data) {
        CRC32C crc = new CRC32C();
        for (long at = 0; at < data.byteSize(); at += PIECE) {
            crc.update(data.asSlice(at, Math.min(PIECE, data.byteSize() - at)).asByteBuffer());
        }
        return crc.getValue();
    }
}
