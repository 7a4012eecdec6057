package io.gpuquant.cli;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.DeviceOptions;
import picocli.CommandLine.Option;

/** Options of where a command runs a model, and how. */
final class ForwardDeviceOption extends DeviceOption {

    @Option(
            names = "--attention",
            paramLabel = "tiled|fused",
            defaultValue = "tiled",
            description =
                    "How to compute attention: by matrix products on tiles of scores, which every model and device can"
                            + " (tiled), or by one kernel that keeps no scores, for heads of 64, 96, 128 or 256 in half types on a"
                            + " GPU (fused); 'gpuquant bench' says which is faster there. Results differ in their last bits."
                            + " Default: ${DEFAULT-VALUE}.")
    AttentionMethod attention = AttentionMethod.TILED;

    @Override
    DeviceOptions options() {
        return super.options().with(attention);
    }
}
