package io.gpuquant.ptx;

/**
 * How the virtual GPU runs.
 *
 * @param mode whether it watches for faults beyond the bounds of memory
 * @param threads processor threads that run blocks; a checked machine uses one, so that its findings are repeatable
 * @param tensorCores whose matrix unit {@code mma.sync} reproduces
 * @param seed decides the order of blocks and warps of a checked machine, and the size of each approximate operation's
 *     error where {@code perturbation} is on
 * @param splitWarps after every synchronizing instruction, run the 32 lanes one by one, the highest first, so that a kernel
 *     that relies on lanes being in step is found out
 * @param perturbation whether approximate operations err by up to the bound of the PTX specification, instead of being
 *     rounded correctly
 */
public record MachineOptions(
        Mode mode, int threads, TensorCoreModel tensorCores, long seed, boolean splitWarps, boolean perturbation) {

    /** What is watched for. */
    public enum Mode {
        /** Bounds of memory only, warp by warp. */
        FAST,
        /** Also alignment, uninitialised reads, races, in-flight asynchronous copies, divergence and access patterns. */
        CHECKED
    }

    public MachineOptions {
        if (threads < 1) {
            throw new IllegalArgumentException("a virtual GPU with " + threads + " threads");
        }
    }

    /** Runs kernels of the product. */
    public static MachineOptions fast(int threads) {
        return new MachineOptions(Mode.FAST, threads, TensorCoreModel.SM_80, 0, false, false);
    }

    /** Tests kernels: every check, blocks and warps in their natural order. */
    public static MachineOptions checked() {
        return new MachineOptions(Mode.CHECKED, 1, TensorCoreModel.SM_80, 0, false, false);
    }

    /** The same with blocks and warps in an order drawn from {@code newSeed}; zero for the natural order. */
    public MachineOptions withSeed(long newSeed) {
        return new MachineOptions(mode, threads, tensorCores, newSeed, splitWarps, perturbation);
    }

    /** The same with lanes run one by one between synchronizing instructions. */
    public MachineOptions withSplitWarps() {
        return new MachineOptions(mode, threads, tensorCores, seed, true, perturbation);
    }

    /** The same with approximate operations that err. */
    public MachineOptions withPerturbation() {
        return new MachineOptions(mode, threads, tensorCores, seed, splitWarps, true);
    }

    /** The same with another matrix unit. */
    public MachineOptions withTensorCores(TensorCoreModel model) {
        return new MachineOptions(mode, threads, model, seed, splitWarps, perturbation);
    }

    /** The same for all machines that decode kernels alike. */
    MachineOptions decisiveForDecoding() {
        return new MachineOptions(mode, 1, tensorCores, perturbation ? seed : 0, false, perturbation);
    }

    boolean isChecked() {
        return mode == Mode.CHECKED;
    }
}
