package io.gpuquant.device.host;

import io.gpuquant.device.DeviceInfo;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Describes this machine's processor. */
final class HostInfo {

    static final String ID = "host";

    private HostInfo() {}

    static DeviceInfo describe(int index, int threads, String library) {
        return new DeviceInfo(
                index == 0 ? ID : ID + ":" + index,
                processorName(),
                "virtual sm_80",
                threads,
                physicalMemory(),
                library);
    }

    private static String processorName() {
        Path cpuInfo = Path.of("/proc/cpuinfo");
        if (Files.isReadable(cpuInfo)) {
            try (Stream<String> lines = Files.lines(cpuInfo)) {
                return lines.filter(line -> line.startsWith("model name"))
                        .findFirst()
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .orElse(System.getProperty("os.arch"));
            } catch (IOException unreadable) {
                // The name is a courtesy; the architecture will do.
            }
        }
        return System.getProperty("os.arch");
    }

    private static long physicalMemory() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
                ? system.getTotalMemorySize()
                : Runtime.getRuntime().maxMemory();
    }
}
