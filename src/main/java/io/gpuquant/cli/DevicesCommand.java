package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceProvider;
import io.gpuquant.device.Devices;
import io.gpuquant.job.Sizes;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gpuquant devices}. */
@Command(
        name = "devices",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        description = "Lists the devices that can compute here, the preferred first.")
final class DevicesCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        var out = spec.commandLine().getOut();
        ObjectNode json = Json.object();
        ArrayNode devices = json.putArray("devices");
        ArrayNode missing = json.putArray("missing");
        TextTable table = new TextTable();
        for (DeviceProvider provider : Devices.installed().providers()) {
            DeviceProvider.Probe probe = provider.probe();
            for (DeviceInfo info : probe.devices()) {
                table.row(info.id(), info.name(), info.architecture(), Sizes.format(info.memoryBytes()), info.driver());
                devices.addObject()
                        .put("id", info.id())
                        .put("name", info.name())
                        .put("architecture", info.architecture())
                        .put("multiprocessors", info.multiprocessors())
                        .put("memory_bytes", info.memoryBytes())
                        .put("driver", info.driver());
            }
            if (probe.devices().isEmpty()) {
                table.row(provider.kind(), "none: " + probe.reason());
                missing.addObject().put("kind", provider.kind()).put("reason", probe.reason());
            }
        }
        if (run.json) {
            out.println(Json.text(json));
        } else {
            table.print(out);
        }
        out.flush();
        return 0;
    }
}
