package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.HostBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Copies through streams, on the fake driver, which makes them as late as it may. */
@InChildJvm
class CopyTest {

    @Test
    void ordinaryMemoryComesBackAsItWentThroughManyRounds() {
        long bytes = 3 * StagingRing.SLOTS * StagingRing.SLOT_BYTES + 4_104;
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open();
                Arena arena = Arena.ofConfined()) {
            MemorySegment source = Fakes.pattern(arena, bytes);
            MemorySegment target = arena.allocate(bytes);
            DeviceBuffer buffer = device.allocate("data", bytes + 512);
            device.stream().copyToDevice(source, buffer, 512);
            device.stream().copyToHost(buffer, 512, target);
            assertThat(target.mismatch(source)).isEqualTo(-1);
            assertThat(fake.calls("cuMemcpyHtoDAsync_v2")).hasSize(3 * StagingRing.SLOTS + 1);
        }
    }

    @Test
    void ordinarySourceMayChangeAfterTheCall() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            float[] numbers = {1, 2, 3};
            DeviceBuffer buffer = device.allocate("data", 12);
            device.stream().copyToDevice(MemorySegment.ofArray(numbers), buffer, 0);
            numbers[0] = 9;
            assertThat(fake.calls("cuStreamSynchronize")).isEmpty();
            assertThat(Fakes.floats(device.stream(), buffer)).containsExactly(1, 2, 3);
        }
    }

    @Test
    void manySmallCopiesShareASlot() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            DeviceBuffer buffer = device.allocate("data", 4_000);
            for (int i = 0; i < 1_000; i++) {
                device.stream().copyToDevice(MemorySegment.ofArray(new float[] {i}), buffer, 4L * i);
            }
            assertThat(fake.calls("cuEventSynchronize")).isEmpty();
            assertThat(Fakes.floats(device.stream(), buffer)[777]).isEqualTo(777);
        }
    }

    @Test
    void pinnedSourceIsReadAtItsTurn() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            HostBuffer source = device.allocateHost("source", 8);
            DeviceBuffer buffer = device.allocate("data", 8);
            source.segment().set(ValueLayout.JAVA_LONG, 0, 1);
            device.stream().copyToDevice(source.segment(), buffer, 0);
            source.segment().set(ValueLayout.JAVA_LONG, 0, 2);
            long[] seen = new long[1];
            device.stream().copyToHost(buffer, 0, MemorySegment.ofArray(seen));
            assertThat(seen).containsExactly(2);
            assertThat(fake.calls("cuMemcpyHtoDAsync_v2")).containsExactly("cuMemcpyHtoDAsync_v2 8");
        }
    }

    @Test
    void pinnedTargetIsFilledAtTheSynchronization() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            HostBuffer target = device.allocateHost("target", 16);
            DeviceBuffer buffer = Fakes.buffer(device, "data", 5, 6);
            MemorySegment window = target.segment().asSlice(8, 8);
            window.setAtIndex(ValueLayout.JAVA_FLOAT, 1, -1);
            device.stream().copyToHost(buffer, 0, window);
            assertThat(window.getAtIndex(ValueLayout.JAVA_FLOAT, 1)).isEqualTo(-1);
            device.stream().synchronize();
            assertThat(window.getAtIndex(ValueLayout.JAVA_FLOAT, 1)).isEqualTo(6);
            assertThat(fake.live(FakeCuda.Kind.PINNED_MEMORY)).isEqualTo(2);
        }
    }

    @Test
    @SuppressWarnings("restricted")
    void segmentThatOnlyBeginsInPinnedMemoryIsOrdinaryMemory() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            HostBuffer pinned = device.allocateHost("pinned", 8);
            MemorySegment longer =
                    MemorySegment.ofAddress(pinned.segment().address()).reinterpret(16);
            device.stream().copyToDevice(longer, device.allocate("data", 16), 0);
            assertThat(fake.live(FakeCuda.Kind.PINNED_MEMORY)).isEqualTo(2);
            device.stream().synchronize();
        }
    }

    @Test
    void closingPinnedMemoryWaitsForItsCopies() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            HostBuffer source = device.allocateHost("source", 4);
            source.segment().set(ValueLayout.JAVA_FLOAT, 0, 7);
            DeviceBuffer buffer = device.allocate("data", 4);
            device.transferStream().copyToDevice(source.segment(), buffer, 0);
            source.close();
            source.close();
            assertThat(fake.live(FakeCuda.Kind.PINNED_MEMORY)).isZero();
            assertThat(Fakes.floats(device.stream(), buffer)).containsExactly(7);
            assertThatThrownBy(() -> source.segment().get(ValueLayout.JAVA_FLOAT, 0))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void copiesAndClearsWithinTheDevice() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            DeviceBuffer first = Fakes.buffer(device, "first", 1, 2, 3, 4);
            DeviceBuffer second = Fakes.buffer(device, "second", 5, 6, 7, 8);
            device.stream().copy(first, 4, second, 8, 8);
            device.stream().clear(second, 0, 4);
            assertThat(Fakes.floats(device.stream(), second)).containsExactly(0, 6, 2, 3);
            assertThat(fake.calls("cuMemcpyDtoDAsync_v2")).containsExactly("cuMemcpyDtoDAsync_v2 8");
        }
    }

    @Test
    void copiesOfNothingAreNoCalls() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            DeviceBuffer empty = device.allocate("empty", 0);
            device.stream().copyToDevice(MemorySegment.ofArray(new byte[0]), empty, 0);
            device.stream().copyToHost(empty, 0, MemorySegment.ofArray(new byte[0]));
            device.stream().copy(empty, 0, empty, 0, 0);
            device.stream().clear(empty, 0, 0);
            device.stream().synchronize();
            assertThat(fake.calls()).noneMatch(call -> call.startsWith("cuMemcpy") || call.startsWith("cuMemset"));
        }
    }

    @Test
    void refusesRangesOutsideABuffer() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            DeviceBuffer buffer = device.allocate("weights", 16);
            MemorySegment eight = MemorySegment.ofArray(new byte[8]);
            assertThatThrownBy(() -> device.stream().copyToDevice(eight, buffer, 9))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("bytes 9 to 17")
                    .hasMessageContaining("weights");
            assertThatThrownBy(() -> device.stream().copyToHost(buffer, -1, eight))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> device.stream().clear(buffer, 0, -1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> device.stream().copy(buffer, 0, buffer, 8, 16))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(fake.calls()).noneMatch(call -> call.startsWith("cuMemcpy") || call.startsWith("cuMemset"));
        }
    }

    @Test
    void copiesMoreThanTwoGigabytesInOnePinnedPiece() {
        long bytes = (1L << 31) + 16;
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            HostBuffer host = device.allocateHost("host", bytes);
            DeviceBuffer buffer = device.allocate("data", bytes);
            device.stream().copyToDevice(host.segment(), buffer, 0);
            device.stream().copyToHost(buffer, 0, host.segment());
            device.stream().clear(buffer, bytes - 8, 8);
            device.stream().copy(buffer, bytes - 8, buffer, bytes - 16, 8);
            device.stream().synchronize();
            assertThat(fake.calls("cuMemHostAlloc")).containsExactly("cuMemHostAlloc " + bytes);
            assertThat(fake.calls("cuMemcpyHtoDAsync_v2")).containsExactly("cuMemcpyHtoDAsync_v2 " + bytes);
            assertThat(fake.calls("cuMemcpyDtoHAsync_v2")).containsExactly("cuMemcpyDtoHAsync_v2 " + bytes);
        }
    }

    @Test
    void copiesMoreThanTwoGigabytesOfOrdinaryMemory() {
        long bytes = (1L << 31) + StagingRing.SLOT_BYTES;
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open();
                // Pinned memory of a second device is ordinary memory to the first, and costs nothing until it is
                // written.
                Device other = Fakes.open()) {
            MemorySegment source = other.allocateHost("source", bytes).segment();
            source.set(ValueLayout.JAVA_LONG, bytes - 8, 42);
            DeviceBuffer buffer = device.allocate("data", bytes);
            device.stream().copyToDevice(source, buffer, 0);
            long[] last = new long[1];
            device.stream().copyToHost(buffer, bytes - 8, MemorySegment.ofArray(last));
            assertThat(last).containsExactly(42);
            assertThat(fake.calls("cuMemcpyHtoDAsync_v2")).hasSize((int) (bytes / StagingRing.SLOT_BYTES));
        }
    }
}
