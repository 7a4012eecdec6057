package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InternalException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.Event;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.LaunchShape;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** What orders the two streams, on the fake driver, where work of a stream waits until it is needed. */
@InChildJvm
class StreamOrderTest {

    @Test
    void eventMakesOneStreamWaitForTheOther() {
        try (FakeCuda fake = FakeCuda.install().kernels(Fakes::scale);
                Device device = Fakes.open()) {
            DeviceBuffer buffer = Fakes.buffer(device, "data", 3);
            launchScale(device, buffer, 2);
            Event doubled = device.stream().record();
            launchScale(device, buffer, 5);
            device.transferStream().await(doubled);
            assertThat(Fakes.floats(device.transferStream(), buffer)).containsExactly(6);
            assertThat(Fakes.floats(device.stream(), buffer)).containsExactly(30);
            assertThat(fake.calls("cuCtxSynchronize")).isEmpty();
        }
    }

    @Test
    void withoutAnEventTheStreamsAreNotOrdered() {
        try (FakeCuda fake = FakeCuda.install().kernels(Fakes::scale);
                Device device = Fakes.open()) {
            DeviceBuffer buffer = Fakes.buffer(device, "data", 3);
            device.stream().synchronize();
            launchScale(device, buffer, 2);
            assertThat(Fakes.floats(device.transferStream(), buffer)).containsExactly(3);
            assertThat(fake.calls("cuLaunchKernel")).hasSize(1);
        }
    }

    @Test
    void hostWaitsForAnEventAndForNoMore() {
        int[] launches = new int[1];
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.kernels(launch -> {
                launches[0]++;
                return 0;
            });
            launchNothing(device);
            Event event = device.stream().record();
            launchNothing(device);
            assertThat(launches[0]).isZero();
            event.synchronize();
            assertThat(launches[0]).isEqualTo(1);
            event.synchronize();
            device.stream().synchronize();
            assertThat(launches[0]).isEqualTo(2);
        }
    }

    @Test
    void acceptsAnEventThatIsDoneAndRefusesStrangers() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open();
                Device other = Fakes.open()) {
            device.stream().await(Event.ALREADY_DONE);
            assertThatThrownBy(() -> device.stream().await(() -> {}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("another kind of device");
            Event foreign = other.stream().record();
            assertThatThrownBy(() -> device.stream().await(foreign)).isInstanceOf(IllegalArgumentException.class);
            assertThat(fake.calls("cuStreamWaitEvent")).isEmpty();
        }
    }

    @Test
    void otherStreamWaitsForTheAllocationOfWhatItUses() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            DeviceBuffer first = device.allocate("first", 4);
            DeviceBuffer second = device.allocate("second", 4);
            device.transferStream().copyToDevice(MemorySegment.ofArray(new float[] {8}), first, 0);
            device.transferStream().copy(first, 0, second, 0, 4);
            assertThat(Fakes.floats(device.transferStream(), second)).containsExactly(8);
            assertThat(fake.calls("cuStreamWaitEvent")).hasSize(2);
        }
    }

    @Test
    void releaseWaitsForTheLastUseByTheOtherStream() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            DeviceBuffer target = device.allocate("target", 4);
            DeviceBuffer source = device.allocate("source", 4);
            device.transferStream().copyToDevice(MemorySegment.ofArray(new float[] {8}), source, 0);
            device.transferStream().copy(source, 0, target, 0, 4);
            source.close();
            device.stream().synchronize();
            assertThat(fake.deviceMemory()).hasSize(1);
            assertThat(Fakes.floats(device.transferStream(), target)).containsExactly(8);
        }
    }

    @Test
    void kernelsOnTheOtherStreamMayUseAnything() {
        try (FakeCuda fake = FakeCuda.install().kernels(Fakes::scale);
                Device device = Fakes.open()) {
            DeviceBuffer buffer = Fakes.buffer(device, "data", 4);
            KernelArguments arguments =
                    new KernelArguments().address(buffer.address()).int32(1).float32(0.5f);
            DeviceBuffer kept = device.allocate("kept", 4);
            device.transferStream().launch(Fakes.MODULE.entry("scale"), LaunchShape.linear(1, 32), arguments);
            device.transferStream().copy(buffer, 0, kept, 0, 4);
            buffer.close();
            device.stream().synchronize();
            assertThat(Fakes.floats(device.transferStream(), kept)).containsExactly(2);
            device.transferStream().synchronize();
            int waits = fake.calls("cuStreamWaitEvent").size();
            device.allocate("later", 4).close();
            assertThat(fake.calls("cuStreamWaitEvent")).hasSize(waits);
        }
    }

    @Test
    void manyEventsAreFewInTheDriver() throws Exception {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            for (int round = 0; round < 40; round++) {
                for (int i = 0; i < 50; i++) {
                    Event _ = device.stream().record();
                }
                System.gc();
                Thread.sleep(5);
            }
            assertThat(fake.live(FakeCuda.Kind.EVENT)).isLessThan(1_500);
        }
    }

    @Test
    void workOfAnyThreadIsWorkOfTheDevice() throws Exception {
        try (FakeCuda fake = FakeCuda.install().kernels(Fakes::scale);
                Device device = Fakes.open()) {
            DeviceBuffer buffer = Fakes.buffer(device, "data", 1);
            Thread other = new Thread(() -> {
                launchScale(device, buffer, 3);
                Event event = device.stream().record();
                event.synchronize();
            });
            other.start();
            other.join();
            assertThat(Fakes.floats(device.stream(), buffer)).containsExactly(3);
            assertThat(fake.calls("cuLaunchKernel")).hasSize(1);
        }
    }

    @Test
    void failureOfMarkingAPointIsReported() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.fail("cuEventRecord", 400);
            assertThatThrownBy(() -> device.stream().record())
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("CUDA_ERROR_INVALID_HANDLE")
                    .hasMessageContaining("marking a point");
        }
    }

    private static void launchScale(Device device, DeviceBuffer buffer, float factor) {
        KernelArguments arguments = new KernelArguments()
                .address(buffer.address())
                .int32((int) (buffer.byteSize() / 4))
                .float32(factor);
        device.stream().launch(Fakes.MODULE.entry("scale"), LaunchShape.linear(1, 32), arguments);
    }

    private static void launchNothing(Device device) {
        device.stream().launch(Fakes.MODULE.entry("nothing"), LaunchShape.linear(1, 32), new KernelArguments());
    }
}
