package io.gpuquant.device.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.DeviceProvider;
import io.gpuquant.device.Devices;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HostDeviceTest {

    private static Device open(long limit) {
        return HostDevice.open(new DeviceOptions(limit, 1));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 255, 256, 257, 1_000_003})
    void alignsMemoryTo256Bytes(long bytes) {
        try (Device device = open(Long.MAX_VALUE);
                DeviceBuffer first = device.allocate("first", bytes);
                DeviceBuffer second = device.allocate("second", bytes)) {
            assertThat(first.address() % 256).isZero();
            assertThat(second.address() % 256).isZero();
            assertThat(first.byteSize()).isEqualTo(bytes);
            assertThat(Math.abs(first.address() - second.address())).isGreaterThanOrEqualTo(bytes);
        }
    }

    @Test
    void keepsToTheLimitAndSaysWhatIsResident() {
        try (Device device = open(1 << 20)) {
            DeviceBuffer weights = device.allocate("weights of layer 3", 800 * 1024);

            assertThatThrownBy(() -> device.allocate("scores", 400 * 1024))
                    .isInstanceOf(DeviceOutOfMemoryException.class)
                    .hasMessage("not enough memory on host: scores needs 400.0 KiB, 800.0 KiB are in use (weights of"
                            + " layer 3 800.0 KiB) and the limit is 1024.0 KiB; lower --sequence-length or --samples, or"
                            + " raise --device-memory if it was set");
            weights.close();
            device.allocate("scores", 400 * 1024);
            assertThat(device.memory().heldBytes()).isEqualTo(400 * 1024);
            assertThat(device.memory().peakBytes()).isEqualTo(800 * 1024);
        }
    }

    /** More would be granted, zeroed page by page, and end with the process being killed. */
    @Test
    void keepsToTheMemoryThatTheMachineHas() {
        try (Device device = open(Long.MAX_VALUE)) {
            assertThat(device.memory().limitBytes()).isEqualTo(device.info().memoryBytes());
            assertThatThrownBy(() ->
                            device.allocate("residual stream", device.info().memoryBytes() + 1))
                    .isInstanceOf(DeviceOutOfMemoryException.class)
                    .hasMessageContaining("residual stream needs");
            assertThat(device.memory().heldBytes()).isZero();
        }
    }

    @Test
    void refusesHostMemoryThatIsNotThere() {
        try (Device device = open(Long.MAX_VALUE)) {
            assertThatThrownBy(() -> device.allocateHost("activations", 1L << 60))
                    .isInstanceOf(DeviceOutOfMemoryException.class)
                    .hasMessageContaining("activations needs");
        }
    }

    @Test
    void refusesSizesBelowZero() {
        try (Device device = open(Long.MAX_VALUE)) {
            assertThatIllegalArgumentException().isThrownBy(() -> device.allocate("x", -1));
            assertThatIllegalArgumentException().isThrownBy(() -> device.allocateHost("x", -1));
            assertThat(device.memory().heldBytes()).isZero();
        }
    }

    @Test
    void doesNotLetAClosedBufferBeUsed() {
        try (Device device = open(Long.MAX_VALUE)) {
            DeviceBuffer buffer = device.allocate("keys", 16);
            buffer.close();
            buffer.close();

            assertThat(device.memory().heldBytes()).isZero();
            assertThatIllegalStateException().isThrownBy(buffer::address).withMessage("device buffer 'keys' is closed");
            assertThatIllegalStateException()
                    .isThrownBy(() -> device.stream().copyToDevice(MemorySegment.ofArray(new byte[16]), buffer, 0));
            assertThatIllegalStateException()
                    .isThrownBy(() -> device.stream().copyToHost(buffer, 0, MemorySegment.ofArray(new byte[0])));
            assertThatIllegalStateException().isThrownBy(() -> device.stream().clear(buffer, 0, 16));
        }
    }

    @Test
    void takesBackAllMemoryWhenItIsClosed() {
        Device device = open(Long.MAX_VALUE);
        DeviceBuffer buffer = device.allocate("keys", 16);
        HostBuffer host = device.allocateHost("activations", 16);
        device.close();

        assertThat(device.memory().heldBytes()).isZero();
        assertThatIllegalStateException().isThrownBy(buffer::address);
        assertThatIllegalStateException().isThrownBy(() -> host.segment().fill((byte) 1));
        buffer.close();
        host.close();
        device.close();
    }

    @Test
    void givesHostMemoryToCopyFromAndTo() {
        try (Device device = open(Long.MAX_VALUE);
                HostBuffer host = device.allocateHost("activations", 1 << 16);
                DeviceBuffer buffer = device.allocate("x", 1 << 16)) {
            host.segment().fill((byte) 7);
            device.stream().copyToDevice(host.segment(), buffer, 0);
            host.segment().fill((byte) 0);
            device.stream().copyToHost(buffer, 0, host.segment());
            device.stream().synchronize();

            assertThat(host.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE))
                    .containsOnly(7);
            assertThat(device.memory().heldBytes()).isEqualTo(1 << 16);
        }
    }

    /** Half types would cost a conversion for each product, and a rounding for each activation. */
    @ParameterizedTest
    @ValueSource(strings = {"F32", "F16", "BF16"})
    void computesInFloat32(DType checkpointType) {
        try (Device device = open(Long.MAX_VALUE)) {
            assertThat(device.operandType(checkpointType)).isEqualTo(DType.F32);
        }
    }

    @Test
    void describesTheProcessor() {
        try (Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 3))) {
            DeviceInfo info = device.info();

            assertThat(info.id()).isEqualTo("host");
            assertThat(info.name()).isNotBlank();
            assertThat(info.architecture()).isEqualTo("virtual sm_80");
            assertThat(info.multiprocessors()).isEqualTo(3);
            assertThat(info.memoryBytes()).isGreaterThan(1L << 28);
            assertThat(info.driver()).contains("OpenBLAS");
        }
    }

    @Test
    void isOfferedEverywhereAndPreferredNowhere() {
        DeviceProvider provider = new HostDeviceProvider();

        assertThat(provider.kind()).isEqualTo("host");
        assertThat(provider.preference()).isZero();
        assertThat(provider.probe().devices())
                .hasSize(1)
                .first()
                .extracting(DeviceInfo::id)
                .isEqualTo("host");
        try (Device device = Devices.of(provider).open("auto", DeviceOptions.defaults())) {
            assertThat(device).isInstanceOf(HostDevice.class);
        }
        assertThat(Devices.installed().providers().getLast()).isInstanceOf(HostDeviceProvider.class);
    }

    @Test
    void processorIsAsManyVirtualGpusAsAreNamed() {
        List<Device> devices = Devices.of(new HostDeviceProvider()).openAll("host:0,1,7", DeviceOptions.defaults());

        assertThat(devices).extracting(device -> device.info().id()).containsExactly("host", "host:1", "host:7");
        assertThat(devices).extracting(device -> device.info().kind()).containsOnly("host");
        devices.forEach(Device::close);
    }
}
