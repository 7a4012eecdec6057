package io.gpuquant.ptx;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A PTX machine on this computer's processor: warps of 32 lanes in lockstep, blocks on all cores. Results do not depend on
 * the number of threads for kernels without floating-point atomics.
 */
public final class VirtualGpu implements AutoCloseable {

    /** Shared memory that a block may have, as on sm_86, the smallest that kernels must fit. */
    public static final int MAX_SHARED_BYTES = 99 * 1024;

    private static final int MAX_THREADS = 1024;

    private final MachineOptions options;
    private final GlobalMemory memory;
    private final @Nullable Timeline timeline;
    private final ExecutorService workers;
    private final int workerCount;

    public VirtualGpu(MachineOptions options) {
        this.options = options;
        memory = new GlobalMemory(options.isChecked());
        timeline = options.isChecked() ? new Timeline() : null;
        workerCount = options.isChecked() ? 1 : options.threads();
        workers = Executors.newFixedThreadPool(Math.max(1, workerCount - 1), task -> {
            Thread thread = new Thread(task, "virtual-gpu");
            thread.setDaemon(true);
            return thread;
        });
    }

    /** How the machine runs. */
    public MachineOptions options() {
        return options;
    }

    /** Its global memory. */
    public GlobalMemory memory() {
        return memory;
    }

    /**
     * Reads and decodes PTX. The kernels also run on other machines of the same options, threads apart, unless they have
     * variables in this one's global memory.
     *
     * @throws io.gpuquant.ptx.syntax.PtxSyntaxException when the text is not PTX or uses what the machine does not know
     */
    public PtxModule compile(String name, String text) {
        return DecodedModules.of(name, text, this);
    }

    /**
     * Runs a kernel to its end.
     *
     * @param grid blocks in x, y and z
     * @param block threads of a block in x, y and z
     * @param parameters the parameter block, laid out by the kernel's parameter offsets
     * @return what was counted; only the number of warp instructions on a fast machine
     * @throws PtxFault when the kernel does what it must not
     * @throws IllegalArgumentException when the launch does not fit the kernel or the machine
     */
    public LaunchResult launch(PtxKernel kernel, int[] grid, int[] block, int dynamicSharedBytes, byte[] parameters) {
        Launch launch = new Launch(
                kernel,
                grid[0],
                grid[1],
                grid[2],
                block[0],
                block[1],
                block[2],
                dynamicSharedBytes,
                parameters,
                memory,
                options,
                timeline);
        requireFits(launch);
        return timeline == null ? runInParallel(launch) : runInOrder(launch, timeline);
    }

    private void requireFits(Launch launch) {
        PtxKernel kernel = launch.kernel();
        if (!kernel.runsOn(this)) {
            throw new IllegalArgumentException(kernel.name() + " was compiled for another machine");
        }
        if (launch.gridX() < 1 || launch.gridY() < 1 || launch.gridZ() < 1) {
            throw new IllegalArgumentException(kernel.name() + " is launched with an empty grid");
        }
        long threads = (long) launch.blockX() * launch.blockY() * launch.blockZ();
        if (Math.min(launch.blockX(), Math.min(launch.blockY(), launch.blockZ())) < 1
                || threads > Math.min(MAX_THREADS, kernel.maxThreads())) {
            throw new IllegalArgumentException(kernel.name() + " is launched with blocks of " + launch.blockX() + " x "
                    + launch.blockY() + " x " + launch.blockZ() + " threads, but was made for at most "
                    + Math.min(MAX_THREADS, kernel.maxThreads()));
        }
        long sharedBytes = (long) kernel.staticSharedBytes() + launch.dynamicSharedBytes();
        if (launch.dynamicSharedBytes() < 0 || sharedBytes > MAX_SHARED_BYTES) {
            throw new IllegalArgumentException(
                    kernel.name() + " needs " + sharedBytes + " bytes of shared memory, more than " + MAX_SHARED_BYTES);
        }
        if (launch.parameters().length != kernel.parameterBytes()) {
            throw new IllegalArgumentException(kernel.name() + " takes " + kernel.parameterBytes()
                    + " bytes of parameters, not " + launch.parameters().length);
        }
    }

    private LaunchResult runInOrder(Launch launch, Timeline time) {
        List<Long> order = new ArrayList<>();
        for (long i = 0; i < launch.blocks(); i++) {
            order.add(i);
        }
        if (options.seed() != 0) {
            Collections.shuffle(order, new Random(options.seed()));
        }
        time.beginLaunch();
        LaunchStatistics statistics = new LaunchStatistics(launch.kernel().code());
        Block block = new Block(launch, statistics);
        order.forEach(block::run);
        return new LaunchResult(block.executed(), statistics);
    }

    private LaunchResult runInParallel(Launch launch) {
        AtomicLong nextBlock = new AtomicLong();
        AtomicLong executed = new AtomicLong();
        Runnable work = () -> {
            try {
                Block block = new Block(launch, null);
                for (long i = nextBlock.getAndIncrement(); i < launch.blocks(); i = nextBlock.getAndIncrement()) {
                    block.run(i);
                }
                executed.addAndGet(block.executed());
            } finally {
                // After a failure the others need not begin another block.
                nextBlock.set(launch.blocks());
            }
        };
        List<Future<?>> helpers = new ArrayList<>();
        for (long i = 1; i < Math.min(workerCount, launch.blocks()); i++) {
            helpers.add(workers.submit(work));
        }
        try {
            work.run();
        } finally {
            helpers.forEach(VirtualGpu::awaitEnd);
        }
        for (Future<?> helper : helpers) {
            rethrowFailure(helper);
        }
        return new LaunchResult(
                executed.get(), new LaunchStatistics(launch.kernel().code()));
    }

    /** Waits until a helper no longer touches memory, whatever became of it. */
    private static void awaitEnd(Future<?> helper) {
        boolean interrupted = false;
        while (true) {
            try {
                helper.get();
                break;
            } catch (ExecutionException failure) {
                break;
            } catch (InterruptedException interruption) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void rethrowFailure(Future<?> helper) {
        if (helper.state() == Future.State.FAILED) {
            Throwable failure = helper.exceptionNow();
            if (failure instanceof RuntimeException exception) {
                throw exception;
            }
            throw new IllegalStateException(failure);
        }
    }

    /** Ends the machine's threads. Global memory stays until it is freed. */
    @Override
    public void close() {
        workers.shutdown();
    }
}
