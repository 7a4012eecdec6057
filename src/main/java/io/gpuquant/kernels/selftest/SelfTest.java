package io.gpuquant.kernels.selftest;

import io.gpuquant.GpuQuantException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.TensorCoreModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Tests a device: every kernel that ships is run on it and on a virtual GPU with the same inputs, and the results are
 * compared; copies, streams, memory and the device's library for matrix products are compared with plain Java.
 *
 * <p>A GPU is compared with the virtual GPU that quantizes where there is no GPU, whose matrix unit adds up as that of the
 * GPU's generation does. The processor, which is that virtual GPU itself, is compared with one that runs blocks and warps
 * in another order and watches every access; that shows faults of this installation, not of the kernels' arithmetic.
 */
public final class SelfTest {

    private static final Pattern COMPUTE_CAPABILITY = Pattern.compile("sm_(\\d+)");

    /** Compute capability 9.0, the first with the later of the two models of matrix units. */
    private static final int HOPPER = 90;

    private static final long SEED = 1;

    private final Device device;
    private final Device reference;
    private final String referenceText;

    private SelfTest(Device device, Device reference, String referenceText) {
        this.device = device;
        this.reference = reference;
        this.referenceText = referenceText;
    }

    /** Tests a device, which nothing else may use meanwhile. */
    public static Report run(Device device) {
        return run(device, Checks.all());
    }

    /** Tests a device against what it is to be compared with. */
    static Report run(Device device, List<Check> checks) {
        boolean host = device instanceof HostDevice;
        TensorCoreModel model = tensorCores(device.info());
        MachineOptions machine = host
                ? MachineOptions.checked().withSeed(SEED)
                : MachineOptions.fast(DeviceOptions.defaults().threads()).withTensorCores(model);
        String text = host
                ? "a virtual GPU that runs blocks in another order and checks every access"
                : "the virtual GPU with matrix units as of " + model.name().toLowerCase(Locale.ROOT);
        try (Device reference = HostDevice.open(DeviceOptions.defaults(), machine)) {
            return run(device, reference, text, checks);
        }
    }

    /** Tests a device against another. */
    static Report run(Device device, Device reference, String referenceText, List<Check> checks) {
        return new SelfTest(device, reference, referenceText).run(checks);
    }

    /** The model of the device's matrix unit; of later generations than Hopper none is known, so they get its. */
    static TensorCoreModel tensorCores(DeviceInfo info) {
        Matcher capability = COMPUTE_CAPABILITY.matcher(info.architecture());
        return capability.find() && Integer.parseInt(capability.group(1)) >= HOPPER
                ? TensorCoreModel.SM_90
                : TensorCoreModel.SM_80;
    }

    private Report run(List<Check> checks) {
        List<Finding> findings = new ArrayList<>();
        for (Check check : checks) {
            Finding finding = run(check);
            findings.add(finding);
            if (!finding.isOk() && !isAlive()) {
                break;
            }
        }
        return new Report(device.info(), blas(), referenceText, findings);
    }

    private Finding run(Check check) {
        Deviation deviation = new Deviation();
        Optional<String> failure;
        try {
            for (Case input : check.cases()) {
                run(input, deviation);
            }
            failure = Optional.ofNullable(deviation.fault());
        } catch (GpuQuantException | IllegalArgumentException | IllegalStateException stopped) {
            failure = Optional.of(String.valueOf(stopped.getMessage()));
        }
        return new Finding(
                check.name(),
                check.accuracy(),
                check.cases().size(),
                deviation.largest(),
                deviation.ofAllowed(),
                failure);
    }

    private void run(Case input, Deviation deviation) {
        try (Bench tested = new Bench(device, input);
                Bench trusted = new Bench(reference, input)) {
            deviation.add(input, input.run(tested), input.expected(trusted));
        }
    }

    /** Whether a device still answers: after some faults a GPU does not, and would fail every later check, too. */
    private boolean isAlive() {
        try {
            device.stream().synchronize();
            return true;
        } catch (GpuQuantException broken) {
            return false;
        }
    }

    private String blas() {
        try {
            return device.blas().description();
        } catch (GpuQuantException none) {
            return "none: " + none.getMessage();
        }
    }
}
