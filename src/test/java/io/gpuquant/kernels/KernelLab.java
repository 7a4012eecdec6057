package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.ptx.MachineOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Runs the kernels of one file, and their CUDA twins, on virtual GPUs that look for different faults. */
final class KernelLab implements AutoCloseable {

    /** Ways to run a virtual GPU. */
    private enum Machine {
        CHECKED(MachineOptions.checked()),
        SHUFFLED(MachineOptions.checked().withSeed(11)),
        SHUFFLED_AGAIN(MachineOptions.checked().withSeed(12)),
        SPLIT(MachineOptions.checked().withSplitWarps()),
        FAST(MachineOptions.fast(2)),
        PERTURBED(MachineOptions.checked().withSeed(13).withPerturbation()),
        PERTURBED_AGAIN(MachineOptions.checked().withSeed(14).withPerturbation());

        private final MachineOptions options;

        Machine(MachineOptions options) {
            this.options = options;
        }
    }

    /**
     * What came of a run.
     *
     * @param label the machine, and whether the kernel or its twin ran
     */
    record Outcome(String label, float[] values) {}

    private final KernelModule kernels;
    private final KernelModule twins;
    private final List<Device> devices = new ArrayList<>();

    /** For the kernels of {@code family.ptx}. */
    KernelLab(String family) {
        kernels = KernelFiles.module(family + ".ptx");
        twins = KernelFiles.module("twins/" + family + ".ptx");
        for (Machine machine : Machine.values()) {
            devices.add(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2), machine.options));
        }
    }

    /**
     * Runs kernel and twin on every machine. The order of blocks and warps, and how a machine is watched, must not change a
     * bit of the result; errors of approximate operations may, and the caller's bounds must allow for them.
     */
    List<Outcome> everywhere(Function<KernelRun, float[]> body) {
        List<Outcome> outcomes = new ArrayList<>();
        for (KernelModule module : List.of(kernels, twins)) {
            float[] reference = null;
            for (Machine machine : Machine.values()) {
                String label = module.name() + " on the " + machine + " machine";
                float[] values = run(machine, module, body);
                if (reference == null) {
                    reference = values;
                } else if (!machine.options.perturbation()) {
                    assertThat(values).as(label).isEqualTo(reference);
                }
                outcomes.add(new Outcome(label, values));
            }
        }
        return outcomes;
    }

    /** Runs the kernel on the machine of the product only. */
    float[] fast(Function<KernelRun, float[]> body) {
        return run(Machine.FAST, kernels, body);
    }

    private float[] run(Machine machine, KernelModule module, Function<KernelRun, float[]> body) {
        try (KernelRun run = new KernelRun(devices.get(machine.ordinal()), module)) {
            return body.apply(run);
        }
    }

    @Override
    public void close() {
        devices.forEach(Device::close);
    }
}
