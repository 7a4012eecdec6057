package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InternalException;
import io.gpuquant.ResourceException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.job.Room;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Opening, memory and closing, on the fake driver. */
@InChildJvm
class DeviceLifeTest {

    private static final int OUT_OF_MEMORY = 2;

    @Test
    void allocatesFromThePoolAndTellsTheLedger() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            DeviceBuffer buffer = device.allocate("weights", 1_000);
            assertThat(buffer.address() % 256).isZero();
            assertThat(device.memory().heldBytes()).isEqualTo(1_000);
            buffer.close();
            buffer.close();
            assertThat(device.memory().heldBytes()).isZero();
            assertThat(device.memory().peakBytes()).isEqualTo(1_000);
            assertThat(fake.calls("cuMemAllocAsync")).containsExactly("cuMemAllocAsync 1000");
            assertThat(fake.calls("cuMemFreeAsync")).hasSize(1);
            assertThat(fake.calls("cuMemPoolSetAttribute")).hasSize(1);
        }
    }

    @Test
    void withoutPoolsWaitsBeforeItFrees() {
        try (FakeCuda fake = FakeCuda.install().set("pools", 0).kernels(Fakes::scale);
                Device device = Fakes.open()) {
            DeviceBuffer buffer = Fakes.buffer(device, "weights", 1);
            KernelArguments arguments =
                    new KernelArguments().address(buffer.address()).int32(1).float32(2);
            device.stream().launch(Fakes.MODULE.entry("scale"), LaunchShape.linear(1, 32), arguments);
            device.transferStream().copyToDevice(MemorySegment.ofArray(new float[1]), buffer, 0);
            buffer.close();
            assertThat(fake.deviceMemory()).isEmpty();
            assertThat(fake.calls()).noneMatch(call -> call.contains("Pool") || call.contains("MemAllocAsync"));
            assertThat(fake.calls("cuMemAlloc_v2")).containsExactly("cuMemAlloc_v2 4");
        }
    }

    @Test
    void allocatesNothingAndRefusesLess() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            try (DeviceBuffer empty = device.allocate("empty", 0);
                    HostBuffer none = device.allocateHost("none", 0)) {
                assertThat(empty.byteSize()).isZero();
                assertThat(none.segment().byteSize()).isZero();
            }
            assertThatThrownBy(() -> device.allocate("bad", -1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> device.allocateHost("bad", -1)).isInstanceOf(IllegalArgumentException.class);
            assertThat(fake.calls("cuMemHostAlloc")).containsExactly("cuMemHostAlloc 1");
        }
    }

    @Test
    void keepsTheLimitThatWasSet() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open(new DeviceOptions(1_000, 1))) {
            DeviceBuffer first = device.allocate("first", 600);
            assertThatThrownBy(() -> device.allocate("second", 600))
                    .isInstanceOf(DeviceOutOfMemoryException.class)
                    .hasMessageContaining("second")
                    .hasMessageContaining("first");
            first.close();
            device.allocate("second", 600);
            assertThat(fake.calls("cuMemAllocAsync")).hasSize(2);
        }
    }

    @Test
    void refusalOfTheDeviceSaysWhatIsFree() {
        try (FakeCuda fake = FakeCuda.install().set("memory", 10L << 20);
                Device device = Fakes.open()) {
            device.allocate("resident", 4L << 20);
            assertThatThrownBy(() -> device.allocate("newcomer", 7L << 20))
                    .isInstanceOf(DeviceOutOfMemoryException.class)
                    .hasMessageContaining("newcomer needs 7168.0 KiB")
                    .hasMessageContaining("resident 4096.0 KiB")
                    .hasMessageContaining("6 of the device's 10 MiB are free")
                    .hasMessageContaining("--sequence-length");
            assertThat(device.memory().heldBytes()).isEqualTo(4L << 20);
            assertThat(fake.calls("cuMemAllocAsync")).hasSize(3);
        }
    }

    @Test
    void waitsForQueuedReleasesBeforeItGivesUp() {
        try (FakeCuda fake = FakeCuda.install().set("memory", 10L << 20);
                Device device = Fakes.open()) {
            DeviceBuffer large = device.allocate("large", 8L << 20);
            device.transferStream().clear(large, 0, 8L << 20);
            large.close();
            assertThat(device.allocate("next", 8L << 20).byteSize()).isEqualTo(8L << 20);
            assertThat(fake.calls("cuCtxSynchronize")).hasSize(1);
        }
    }

    @Test
    void blocksThatThePoolKeepsAreGivenBackBeforeItGivesUp() {
        try (FakeCuda fake = FakeCuda.install().set("memory", 10L << 20);
                Device device = Fakes.open()) {
            DeviceBuffer first = device.allocate("first", 4L << 20);
            DeviceBuffer second = device.allocate("second", 4L << 20);
            first.close();
            second.close();
            device.stream().synchronize();
            assertThat(device.allocate("next", 7L << 20).byteSize()).isEqualTo(7L << 20);
            assertThat(fake.calls("cuMemPoolTrimTo")).containsExactly("cuMemPoolTrimTo 0");
        }
    }

    @Test
    void memoryThatOthersHoldIsNotFree() throws NoGpuException {
        try (FakeCuda _ = FakeCuda.install().set("memory", 1_000L << 20).set("heldByOthers", 300L << 20);
                Device device = Fakes.openWithoutCublas(DeviceOptions.defaults());
                DeviceBuffer _ = device.allocate("resident", 100L << 20)) {
            device.allocate("gone", 200L << 20).close();
            assertThat(device.freeBytes()).isEqualTo(600L << 20);
            assertThat(Room.of(device).availableBytes()).isEqualTo((long) (0.92 * (700L << 20)));
            assertThat(Room.of(device).heldBytes()).isEqualTo(100L << 20);
        }
        try (FakeCuda _ = FakeCuda.install().set("memory", 1_000L << 20).set("heldByOthers", 300L << 20);
                Device device = Fakes.openWithoutCublas(new DeviceOptions(500L << 20, 1))) {
            assertThat(Room.of(device).availableBytes()).isEqualTo(500L << 20);
        }
    }

    @Test
    void otherRefusalIsNotCalledLackOfMemory() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.fail("cuMemAllocAsync", 801);
            assertThatThrownBy(() -> device.allocate("weights", 64))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("CUDA_ERROR_NOT_SUPPORTED")
                    .hasMessageContaining("allocating 64 bytes for weights");
            assertThat(device.memory().heldBytes()).isZero();
        }
    }

    @Test
    void pinnedMemoryThatIsRefusedIsNamed() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.fail("cuMemHostAlloc", OUT_OF_MEMORY);
            assertThatThrownBy(() -> device.allocateHost("activations", 640))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("activations")
                    .hasMessageContaining("640 bytes");
            fake.fail("cuMemHostAlloc", 999);
            assertThatThrownBy(() -> device.allocateHost("activations", 640))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("CUDA_ERROR_UNKNOWN");
        }
    }

    @Test
    void refusesBuffersOfAnotherDevice() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open();
                Device other = Fakes.open()) {
            DeviceBuffer foreign = other.allocate("foreign", 16);
            assertThatThrownBy(() -> device.stream().clear(foreign, 0, 16))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("foreign (16 bytes) is not of cuda:0");
            assertThat(fake.live(FakeCuda.Kind.CONTEXT)).isEqualTo(2);
        }
    }

    @Test
    void closingReleasesEverythingOnce() {
        try (FakeCuda fake = FakeCuda.install()) {
            Device device = Fakes.open();
            DeviceBuffer buffer = Fakes.buffer(device, "weights", 1, 2);
            HostBuffer pinned = device.allocateHost("pinned", 64);
            device.stream().launch(Fakes.MODULE.entry("nothing"), LaunchShape.linear(1, 32), new KernelArguments());
            device.transferStream().copyToHost(buffer, 0, pinned.segment().asSlice(0, 8));
            device.close();
            for (FakeCuda.Kind kind : FakeCuda.Kind.values()) {
                assertThat(fake.live(kind)).as(kind.name()).isZero();
            }
            assertThat(device.memory().heldBytes()).isZero();
            List<String> calls = fake.calls();
            device.close();
            buffer.close();
            pinned.close();
            assertThat(fake.calls()).isEqualTo(calls);
        }
    }

    @Test
    void closesInTheOppositeOrderOfOpening() {
        try (FakeCuda fake = FakeCuda.install()) {
            Device device = Fakes.open();
            device.allocate("weights", 16);
            device.allocateHost("pinned", 16);
            device.stream().launch(Fakes.MODULE.entry("nothing"), LaunchShape.linear(1, 32), new KernelArguments());
            int before = fake.calls().size();
            device.close();
            assertThat(fake.calls().subList(before, fake.calls().size()))
                    .containsExactly(
                            "cuCtxSetCurrent",
                            "cuCtxSynchronize",
                            "cuModuleUnload",
                            "cuMemFreeHost",
                            "cuMemFreeAsync",
                            "cuCtxSynchronize",
                            "cuMemPoolSetAttribute 0",
                            "cuMemPoolTrimTo 0",
                            "cuStreamDestroy_v2",
                            "cuStreamDestroy_v2",
                            "cuStreamDestroy_v2",
                            "cuStreamDestroy_v2",
                            "cuStreamDestroy_v2",
                            "cuEventDestroy_v2",
                            "cuDevicePrimaryCtxRelease_v2");
        }
    }

    @Test
    void closedDeviceSaysSo() {
        try (FakeCuda _ = FakeCuda.install()) {
            Device device = Fakes.open();
            DeviceBuffer buffer = device.allocate("weights", 16);
            device.close();
            assertThatThrownBy(() -> device.allocate("more", 16))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("cuda:0 is closed");
            assertThatThrownBy(() -> device.stream().clear(buffer, 0, 16)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> device.allocateHost("more", 16)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(device::blas).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void openingThatFailsHalfWayLeavesNothing() {
        try (FakeCuda fake = FakeCuda.install().failAfter(1, "cuStreamCreateWithPriority", OUT_OF_MEMORY)) {
            assertThatThrownBy(Fakes::open)
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("CUDA_ERROR_OUT_OF_MEMORY")
                    .hasMessageContaining("creating a stream");
            assertThat(fake.live(FakeCuda.Kind.CONTEXT)).isZero();
            assertThat(fake.live(FakeCuda.Kind.STREAM)).isZero();
        }
    }

    @Test
    void openingThatFailsTellsItsReasonEvenIfClosingFailsToo() {
        try (FakeCuda fake = FakeCuda.install()
                .failAfter(1, "cuStreamCreateWithPriority", OUT_OF_MEMORY)
                .fail("cuStreamDestroy_v2", 1)) {
            assertThatThrownBy(Fakes::open)
                    .hasMessageContaining("creating a stream")
                    .satisfies(failure -> assertThat(failure.getSuppressed()).hasSize(1));
            assertThat(fake.live(FakeCuda.Kind.CONTEXT)).isZero();
            fake.reset();
        }
    }

    @Test
    void deviceThatIsTakenSaysSo() {
        try (FakeCuda fake = FakeCuda.install().fail("cuDevicePrimaryCtxRetain", 46)) {
            assertThatThrownBy(Fakes::open)
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("cuda:0 cannot be opened: CUDA_ERROR_DEVICE_UNAVAILABLE")
                    .hasMessageContaining("nvidia-smi");
            assertThat(fake.live(FakeCuda.Kind.CONTEXT)).isZero();
        }
    }

    @Test
    void failuresOfClosingAreToldWithoutLeavingAnythingOpen() {
        try (FakeCuda fake = FakeCuda.install()) {
            Device device = Fakes.open();
            device.allocate("weights", 16);
            fake.fail("cuMemFreeAsync", 1).fail("cuMemPoolTrimTo", 1);
            assertThatThrownBy(device::close)
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("CUDA_ERROR_INVALID_VALUE while releasing weights");
            assertThat(fake.live(FakeCuda.Kind.CONTEXT)).isZero();
            assertThat(fake.live(FakeCuda.Kind.STREAM)).isZero();
            fake.reset();
        }
    }

    @Test
    void opensTwiceOneAfterTheOther() {
        try (FakeCuda fake = FakeCuda.install()) {
            Fakes.open().close();
            try (Device device = Fakes.open()) {
                assertThat(Fakes.floats(device.stream(), Fakes.buffer(device, "data", 4)))
                        .containsExactly(4);
            }
            assertThat(fake.calls("cuDevicePrimaryCtxRetain")).hasSize(2);
        }
    }

    @Test
    void productsKeepTheTypeOfTheCheckpoint() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            assertThat(device.operandType(DType.BF16)).isEqualTo(DType.BF16);
            assertThat(device.operandType(DType.F16)).isEqualTo(DType.F16);
            assertThat(device.operandType(DType.F32)).isEqualTo(DType.F32);
            assertThatThrownBy(() -> device.operandType(DType.I8)).isInstanceOf(IllegalArgumentException.class);
            assertThat(device.transferStream()).isNotSameAs(device.stream());
        }
    }

    /** Kernels of the others would otherwise all be begun before one of a factorization that looks ahead. */
    @Test
    void oneStreamGoesBeforeTheOthers() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            assertThat(device.priorityStream())
                    .isNotIn(device.stream(), device.transferStream(), device.uploadStream(), device.downloadStream());
            // The call as it is recorded, with the priority's sign turned.
            String create = "cuStreamCreateWithPriority";
            assertThat(fake.calls(create))
                    .containsExactly(create + " 0", create + " 0", create + " 0", create + " 0", create + " 5");
        }
    }
}
