package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/** Runs one warp at a time: fetches, evaluates guards, splits and joins lanes. What instructions compute is elsewhere. */
final class Interpreter {

    /** Warp instructions that a warp may execute between two barriers before it is taken to be stuck. */
    private static final long BUDGET = 1L << 32;

    private final PtxKernel kernel;
    private final Instruction[] code;
    private final boolean splitWarps;
    private final long budget;
    private final @Nullable LaunchStatistics statistics;
    private long executed;
    private int instruction;

    Interpreter(Launch launch, @Nullable LaunchStatistics statistics) {
        kernel = launch.kernel();
        code = kernel.code();
        splitWarps = launch.options().splitWarps();
        budget = launch.options().isChecked() ? BUDGET >>> 8 : BUDGET;
        this.statistics = statistics;
    }

    /** Warp instructions executed so far. */
    long executed() {
        return executed;
    }

    /**
     * Runs a warp until all its lanes wait at a barrier or have ended.
     *
     * @throws PtxFault when it does what it must not
     */
    void run(Warp warp) {
        long limit = executed + budget;
        try {
            while (!warp.isDone() && warp.waitingAt() == null) {
                runPart(warp, limit);
            }
        } catch (LaneFault fault) {
            throw describe(warp, fault.lane(), fault.problem());
        } catch (IndexOutOfBoundsException fault) {
            // Shared memory of a fast machine is guarded by Java's own array bounds.
            throw describe(
                    warp, LaneFault.NO_LANE, "access outside shared or local memory (" + fault.getMessage() + ")");
        }
    }

    /** Runs one part of the warp until it splits, parks, ends, or might meet another. */
    private void runPart(Warp warp, long limit) {
        Fragments fragments = warp.fragments;
        int part = fragments.next();
        if (part == Fragments.NONE) {
            part = complete(warp);
        }
        int at = fragments.at(part);
        int mask = fragments.mask(part);
        int horizon = fragments.horizon(part);
        fragments.remove(part);
        while (at < horizon) {
            instruction = at;
            Instruction next = code[at];
            RegisterCheck check = warp.registerCheck();
            if (check != null) {
                check.beforeGuard(next, mask);
                countInstruction(next);
            }
            int active = next.active(warp, mask);
            executed++;
            switch (next.kind()) {
                case LANES -> {
                    if (active != 0) {
                        executeChecked(next, warp, active, check);
                    }
                    at++;
                }
                case BRANCH -> {
                    if (active == mask) {
                        at = next.target();
                    } else if (active == 0) {
                        at++;
                    } else {
                        fragments.add(mask & ~active, at + 1);
                        fragments.add(active, next.target());
                        return;
                    }
                    if (executed > limit) {
                        throw new LaneFault(LaneFault.NO_LANE, "the warp seems to be stuck in a loop");
                    }
                }
                case COLLECTIVE, BARRIER -> {
                    if (active != 0) {
                        synchronize(warp, next, mask, active, check);
                        return;
                    }
                    at++;
                }
                case EXIT -> {
                    warp.end(active);
                    if (active == mask) {
                        return;
                    }
                    mask &= ~active;
                    at++;
                }
                case TRAP -> {
                    if (active != 0) {
                        throw new LaneFault(Integer.numberOfTrailingZeros(active), "the kernel trapped");
                    }
                    at++;
                }
            }
        }
        fragments.add(mask, at);
    }

    private static void executeChecked(Instruction next, Warp warp, int active, @Nullable RegisterCheck check) {
        Operation operation = next.operation();
        if (operation == null) {
            throw new IllegalStateException("no operation in " + next);
        }
        if (check == null) {
            operation.execute(warp, active);
        } else {
            check.before(next, active);
            operation.execute(warp, active);
            check.after(next, active);
        }
    }

    /** Executes a synchronizing instruction if all lanes it needs have come; parks them otherwise. */
    private void synchronize(Warp warp, Instruction next, int mask, int active, @Nullable RegisterCheck check) {
        Fragments fragments = warp.fragments;
        int at = instruction;
        int needed = next.operation() instanceof Collective collective ? collective.members(warp, active) : warp.live();
        if ((active & ~needed) != 0) {
            throw new LaneFault(
                    Integer.numberOfTrailingZeros(active & ~needed),
                    "the lane is not in the member mask " + hex(needed));
        }
        if ((needed & ~warp.live()) != 0) {
            throw new LaneFault(
                    Integer.numberOfTrailingZeros(active),
                    "the member mask " + hex(needed) + " names lanes that have ended; live are " + hex(warp.live()));
        }
        int arrived = active | fragments.takeParked(at);
        if (arrived != needed) {
            fragments.park(arrived, at);
            if (mask != active) {
                fragments.resume(mask & ~active, at + 1);
            }
            return;
        }
        executeChecked(next, warp, arrived, check);
        fragments.resume(arrived | mask & ~active, at + 1);
    }

    /**
     * The part to run when all are parked: lanes at a barrier that the others of the warp, by ending, have left alone.
     *
     * @throws LaneFault when there is none, because lanes wait for one another at different places
     */
    private int complete(Warp warp) {
        Fragments fragments = warp.fragments;
        for (int part = 0; part < fragments.count(); part++) {
            if (code[fragments.at(part)].kind() == Instruction.Kind.BARRIER && fragments.mask(part) == warp.live()) {
                return part;
            }
        }
        instruction = fragments.at(0);
        throw new LaneFault(
                LaneFault.NO_LANE,
                "divergent synchronization: lanes " + hex(fragments.mask(0)) + " wait here, but of the live lanes "
                        + hex(warp.live()) + " the others never come");
    }

    private void countInstruction(Instruction next) {
        if (statistics != null) {
            statistics.countInstruction(next.mnemonic());
        }
    }

    private PtxFault describe(Warp warp, int lane, String problem) {
        Instruction at = code[instruction];
        Block block = warp.block();
        return new PtxFault(
                kernel.module() + ":" + at.line() + ": " + kernel.name() + ", block (" + block.x() + ", " + block.y()
                        + ", "
                        + block.z() + "), warp " + warp.index() + (lane < 0 ? "" : ", lane " + lane) + ": " + problem
                        + ", at '" + at.text() + "'",
                at.line());
    }

    private static String hex(int mask) {
        return String.format("0x%08x", mask);
    }
}
