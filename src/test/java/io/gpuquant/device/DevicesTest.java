package io.gpuquant.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.GpuQuantException;
import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DevicesTest {

    /** A kind of device of which there are so many; opening one says which it was. */
    private record Fake(String kind, int preference, int count) implements DeviceProvider {

        private static final DeviceInfo INFO = new DeviceInfo("x", "x", "x", 1, 1, "x");

        @Override
        public Probe probe() {
            return new Probe(Collections.nCopies(count, INFO), "no " + kind + " was found");
        }

        @Override
        public Device open(int index, DeviceOptions options) {
            throw new Opened(kind + ":" + index);
        }
    }

    private static final class Opened extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Opened(String device) {
            super(device);
        }
    }

    private static final DeviceProvider HOST = new Fake("host", 0, 1);

    @ParameterizedTest
    @CsvSource({"auto, 2, cuda:0", "auto, 0, host:0", "cuda, 1, cuda:0", "cuda:1, 2, cuda:1", "host, 2, host:0"})
    void opensWhatIsNamedOrElseTheBestThereIs(String selector, int gpus, String opened) {
        Devices devices = Devices.of(HOST, new Fake("cuda", 10, gpus));

        assertThatThrownBy(() -> devices.open(selector, DeviceOptions.defaults()))
                .isInstanceOf(Opened.class)
                .hasMessage(opened);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "cuda:0,0; names a device twice",
                "cuda:0,1,0; names a device twice",
                "cuda:3,1; is not there: this machine has 2",
                "tpu:0,1; is not a device",
                "cuda:0,; is not a device",
                "host,cuda:0; is not a device"
            })
    void refusesListsThatNameNoDevices(String selector, String reason) {
        Devices devices = Devices.of(HOST, new Fake("cuda", 10, 2));

        assertThatThrownBy(() -> devices.openAll(selector, DeviceOptions.defaults()))
                .isInstanceOf(GpuQuantException.class)
                .hasMessageContaining("--device ")
                .hasMessageContaining(reason);
    }

    @Test
    void opensTheFirstOfAListFirstAndOneWhereOneIsNamed() {
        Devices devices = Devices.of(HOST, new Fake("cuda", 10, 2));

        assertThatThrownBy(() -> devices.openAll("cuda:1,0", DeviceOptions.defaults()))
                .isInstanceOf(Opened.class)
                .hasMessage("cuda:1");
        assertThatThrownBy(() -> devices.openAll("host", DeviceOptions.defaults()))
                .isInstanceOf(Opened.class)
                .hasMessage("host:0");
        assertThatThrownBy(() -> devices.open("cuda:0,1", DeviceOptions.defaults()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("names several devices");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:12345", "CUDA:0", "", " host"})
    void refusesWhatNamesNoDevice(String selector) {
        Devices devices = Devices.of(HOST, new Fake("cuda", 10, 1));

        assertThatThrownBy(() -> devices.open(selector, DeviceOptions.defaults()))
                .isInstanceOf(UsageException.class)
                .hasMessage("--device " + selector + " is not a device; use auto, host or cuda:N");
    }

    @Test
    void saysWhyADeviceIsNotThere() {
        assertThatThrownBy(() -> Devices.of(HOST, new Fake("cuda", 10, 0)).open("cuda:0", DeviceOptions.defaults()))
                .isInstanceOf(ResourceException.class)
                .hasMessage("--device cuda:0 is not there: no cuda was found; use --device host to run without it");
        assertThatThrownBy(() -> Devices.of(HOST, new Fake("cuda", 10, 2)).open("cuda:2", DeviceOptions.defaults()))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining("--device cuda:2 is not there: this machine has 2 such device(s)");
        assertThatThrownBy(() -> Devices.of(new Fake("cuda", 10, 0)).open("auto", DeviceOptions.defaults()))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining("no device was found");
    }

    @Test
    void listsThePreferredKindFirst() {
        DeviceProvider cuda = new Fake("cuda", 10, 1);

        assertThat(Devices.of(HOST, cuda).providers()).isEqualTo(List.of(cuda, HOST));
    }
}
