package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import io.gpuquant.device.Devices;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options of where a command computes. */
class DeviceOption {

    @Option(
            names = "--device",
            paramLabel = "auto|cuda:N[,N]|host",
            defaultValue = "auto",
            description = "Where to compute: a GPU if one is there (auto), a certain one, several for gptq, awq and rtn"
                    + " (cuda:0,1), or the processor."
                    + " Default: ${DEFAULT-VALUE}.")
    String device = "auto";

    @Option(
            names = "--device-memory",
            paramLabel = "SIZE",
            converter = SizeConverter.class,
            description = "The most device memory to use, such as 6GB. Default: all of it.")
    Long memory = Long.MAX_VALUE;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Processor threads. Default: one per processor. The result does not depend on it.")
    int threads = Runtime.getRuntime().availableProcessors();

    /** The GPUs that were named, where they are not here, but how much memory each has is known; otherwise none. */
    List<String> absentGpus() {
        List<String> named = Devices.each(device);
        boolean absent = named.stream().allMatch(each -> each.matches("cuda(:\\d+)?"))
                && memory != Long.MAX_VALUE
                && Devices.installed().providers().stream()
                        .filter(provider -> provider.kind().equals("cuda"))
                        .allMatch(provider -> provider.probe().devices().isEmpty());
        return absent ? named : List.of();
    }

    /** Why there is no GPU, where one was looked for and the processor was opened instead. */
    Optional<String> whyNoGpu(DeviceInfo opened) {
        return whyNoGpu(device, opened, Devices.installed().providers());
    }

    static Optional<String> whyNoGpu(String selector, DeviceInfo opened, List<DeviceProvider> providers) {
        return providers.stream()
                .filter(provider -> selector.equals("auto") && !provider.kind().equals(opened.kind()))
                .map(DeviceProvider::probe)
                .filter(probe -> probe.devices().isEmpty())
                .findFirst()
                .map(DeviceProvider.Probe::reason);
    }

    /** Opens the device. */
    Device open() {
        return Devices.installed().open(device, options());
    }

    /** Opens the device, or the devices if there are several. */
    List<Device> openAll() {
        return Devices.installed().openAll(device, options());
    }

    DeviceOptions options() {
        if (threads < 1) {
            throw new UsageException("--threads " + threads + " is not a number of threads; use 1 or more");
        }
        return new DeviceOptions(memory, threads);
    }

    /** Reads sizes such as {@code 512MB} or {@code 7.5GiB}. */
    static final class SizeConverter implements ITypeConverter<Long> {

        @Override
        public Long convert(String text) {
            String upper = text.strip().toUpperCase(java.util.Locale.ROOT);
            String number = upper.replaceAll("[A-Z]+$", "");
            long unit = switch (upper.substring(number.length())) {
                case "", "B" -> 1;
                case "K", "KIB" -> 1L << 10;
                case "KB" -> 1_000;
                case "M", "MIB" -> 1L << 20;
                case "MB" -> 1_000_000;
                case "G", "GIB" -> 1L << 30;
                case "GB" -> 1_000_000_000;
                case "T", "TIB" -> 1L << 40;
                default -> throw notASize(text);
            };
            try {
                double bytes = Double.parseDouble(number) * unit;
                if (bytes >= 1 && bytes < Long.MAX_VALUE) {
                    return (long) bytes;
                }
            } catch (NumberFormatException notANumber) {
                // Reported below.
            }
            throw notASize(text);
        }

        private static TypeConversionException notASize(String text) {
            return new TypeConversionException("'" + text + "' is not a size such as 6GB or 512MiB");
        }
    }
}
