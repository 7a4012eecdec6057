package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HostCopyTest {

    @ParameterizedTest
    @ValueSource(longs = {0, 1, HostCopy.PIECE, HostCopy.PIECE + 1, 5 * HostCopy.PIECE - 3})
    void copiesTheBytesAskedForAndNoOthers(long bytes) {
        byte[] values = new byte[(int) bytes + 20];
        new Random(bytes).nextBytes(values);
        try (Arena mine = Arena.ofConfined();
                Arena shared = Arena.ofShared()) {
            MemorySegment ofThread = mine.allocate(values.length).copyFrom(MemorySegment.ofArray(values));
            MemorySegment ofAll = shared.allocate(values.length).copyFrom(MemorySegment.ofArray(values));
            // The copy of what only this thread may read is made by this thread.
            for (MemorySegment source : new MemorySegment[] {ofThread, ofAll, MemorySegment.ofArray(values)}) {
                MemorySegment target = shared.allocate(bytes + 8);
                HostCopy.copy(source, 7, target, bytes);
                assertThat(MemorySegment.mismatch(source, 7, 7 + bytes, target, 0, bytes))
                        .isEqualTo(-1);
                assertThat(target.asSlice(bytes).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
            }
        }
    }
}
