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
        SPLIT(MachineOptions.checked().withSplitWarps()),
        FAST(MachineOptions.fast(2)),
        PERTURBED(MachineOptions.checked().withSeed(13).withPerturbation());

        private final MachineOptions options;

        Machine(MachineOptions options) {
            this.options = options;
        }
    }

    /**
     * What came of a run.
     *
     * @param label the machine, and whether the kernel or its twin ran
     * @param twin whether it was the twin
     */
    record Outcome<T>(String label, boolean twin, T result) {}

    private static final List<Machine> LIKE_CHECKED = List.of(Machine.SHUFFLED, Machine.SPLIT, Machine.FAST);

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
     * Runs the kernel on every machine whose approximate operations are as good as they can be, and its twin, which never
     * ships, on the one that checks every access. The order of blocks and warps, and how a machine is watched, must not
     * change a bit of the kernel's result.
     */
    <T> List<Outcome<T>> exactly(Function<KernelRun, T> body) {
        List<Outcome<T>> outcomes = new ArrayList<>();
        Outcome<T> reference = outcome(Machine.CHECKED, kernels, body);
        outcomes.add(reference);
        for (Machine machine : LIKE_CHECKED) {
            Outcome<T> outcome = outcome(machine, kernels, body);
            assertThat((Object) outcome.result()).as(outcome.label()).isEqualTo(reference.result());
            outcomes.add(outcome);
        }
        outcomes.add(outcome(Machine.CHECKED, twins, body));
        return outcomes;
    }

    /** The same, and the kernel on a machine whose approximate operations err as much as they may. */
    <T> List<Outcome<T>> approximately(Function<KernelRun, T> body) {
        List<Outcome<T>> outcomes = exactly(body);
        outcomes.add(outcome(Machine.PERTURBED, kernels, body));
        return outcomes;
    }

    /** Runs the kernel on the machine of the product only. */
    <T> T fast(Function<KernelRun, T> body) {
        return run(Machine.FAST, kernels, body);
    }

    private <T> Outcome<T> outcome(Machine machine, KernelModule module, Function<KernelRun, T> body) {
        return new Outcome<>(
                module.name() + " on the " + machine + " machine", module == twins, run(machine, module, body));
    }

    private <T> T run(Machine machine, KernelModule module, Function<KernelRun, T> body) {
        try (KernelRun run = new KernelRun(devices.get(machine.ordinal()), module)) {
            return body.apply(run);
        }
    }

    @Override
    public void close() {
        devices.forEach(Device::close);
    }
}
