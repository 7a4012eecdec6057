package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/** Runs one warp at a time: fetches, evaluates guards, splits and joins lanes. What instructions compute is elsewhere. */
final class Interpreter {

    /** Warp instructions that a warp may execute between two barriers before it is taken to be stuck. */
    private static final long BUDGET = 1L << 32;

    private static final long CHECKED_BUDGET = 1L << 24;

    private final PtxKernel kernel;
    private final Instruction[] code;
    private final @Nullable StraightCode straightCode;
    private final long budget;
    private final @Nullable LaunchStatistics statistics;
    private long executed;
    private long limit;
    private int instruction;
    private int stretchStart;

    Interpreter(Launch launch, @Nullable LaunchStatistics statistics) {
        kernel = launch.kernel();
        code = kernel.code();
        straightCode = launch.options().isChecked() ? null : kernel.straightCode();
        budget = launch.options().isChecked() ? CHECKED_BUDGET : BUDGET;
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
        limit = executed + budget;
        try {
            while (warp.isReady()) {
                runPart(warp);
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
    private void runPart(Warp warp) {
        Fragments fragments = warp.fragments;
        int part = fragments.next();
        if (part == Fragments.NONE) {
            part = complete(warp);
        }
        int at = fragments.at(part);
        int mask = fragments.mask(part);
        fragments.remove(part);
        int horizon = fragments.horizon();
        RegisterCheck check = warp.registerCheck();
        while (at < horizon) {
            instruction = at;
            Stretch stretch = mask == Operation.ALL_LANES && straightCode != null ? straightCode.at(at) : null;
            if (stretch != null) {
                stretchStart = at;
                stretch.execute(this, warp);
                executed += stretch.length();
                at += stretch.length();
                continue;
            }
            Instruction next = code[at];
            if (check != null) {
                check(next, mask, check);
            }
            int active = next.active(warp, mask);
            executed++;
            switch (next.kind()) {
                case LANES -> {
                    if (active != 0) {
                        execute(next, warp, active, check);
                    }
                    at++;
                }
                case BRANCH -> {
                    requireBudget();
                    if (active == mask) {
                        at = next.target();
                    } else if (active == 0) {
                        at++;
                    } else {
                        fragments.add(mask & ~active, at + 1);
                        fragments.add(active, next.target());
                        return;
                    }
                }
                case INDEXED_BRANCH -> {
                    requireBudget();
                    fragments.add(mask & ~active, at + 1);
                    if (active != 0) {
                        execute(next, warp, active, check);
                    }
                    return;
                }
                case COLLECTIVE, BARRIER -> {
                    if (active != 0) {
                        if (!isTogether(next, warp, active)) {
                            synchronize(warp, next, mask, active, check);
                            return;
                        }
                        execute(next, warp, active, check);
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

    /** Whether a collective operation needs just the lanes that are here, and they may go on together after it. */
    private static boolean isTogether(Instruction next, Warp warp, int active) {
        return next.operation() instanceof Collective collective
                && warp.fragments.count() == 0
                && !warp.fragments.isSplit()
                && active == warp.live()
                && collective.agreeing(warp, active) == active
                && collective.members(warp, Integer.numberOfTrailingZeros(active)) == active;
    }

    /** Told by a stretch which of its instructions comes next, for the message should it fail. */
    void isAtPlace(int place) {
        instruction = stretchStart + place;
    }

    private void check(Instruction next, int mask, RegisterCheck check) {
        if (next.guard() >= 0) {
            check.beforeGuard(next.guard(), mask);
        }
        if (statistics != null) {
            statistics.countInstruction(instruction);
        }
    }

    private static void execute(Instruction next, Warp warp, int active, @Nullable RegisterCheck check) {
        if (check == null) {
            next.requireOperation().execute(warp, active);
        } else {
            check.before(next, active);
            next.requireOperation().execute(warp, active);
            check.after(next, active);
        }
    }

    private void requireBudget() {
        if (executed > limit) {
            throw new LaneFault(LaneFault.NO_LANE, "the warp seems to be stuck in a loop");
        }
    }

    /** Executes a synchronizing instruction if all lanes it needs have come; parks them otherwise. */
    private void synchronize(Warp warp, Instruction next, int mask, int active, @Nullable RegisterCheck check) {
        if (check != null) {
            check.before(next, active);
        }
        Fragments fragments = warp.fragments;
        int at = instruction;
        int together = active;
        if (next.operation() instanceof Collective collective) {
            // Groups of lanes that name different members execute one after the other.
            together = collective.agreeing(warp, active);
        }
        int needed = needed(warp, next, together);
        int arrived = together | fragments.parkedAt(at) & needed;
        if (arrived == needed) {
            requireAgreement(warp, next, arrived);
            fragments.unpark(arrived, at);
            execute(next, warp, arrived, check);
            fragments.resume(arrived | mask & ~active, at + 1);
        } else {
            fragments.park(together, at);
            fragments.resume(mask & ~active, at + 1);
        }
        fragments.add(active & ~together, at);
    }

    private static void requireAgreement(Warp warp, Instruction next, int lanes) {
        if (next.operation() instanceof Collective collective) {
            int others = lanes & ~collective.agreeing(warp, lanes);
            if (others != 0) {
                int lane = Integer.numberOfTrailingZeros(others);
                throw new LaneFault(
                        lane,
                        "the lane names the member mask " + hex(collective.members(warp, lane))
                                + ", and another of its members names "
                                + hex(collective.members(warp, Integer.numberOfTrailingZeros(lanes))));
            }
        }
    }

    /** The lanes that must execute a synchronizing instruction together with these. */
    private static int needed(Warp warp, Instruction next, int lanes) {
        int lane = Integer.numberOfTrailingZeros(lanes);
        int needed = next.operation() instanceof Collective collective ? collective.members(warp, lane) : warp.live();
        if ((lanes & ~needed) != 0) {
            throw new LaneFault(
                    Integer.numberOfTrailingZeros(lanes & ~needed),
                    "the lane is not in the member mask " + hex(needed));
        }
        if ((needed & ~warp.live()) != 0) {
            throw new LaneFault(
                    lane,
                    "the member mask " + hex(needed) + " names lanes that have ended; live are " + hex(warp.live()));
        }
        return needed;
    }

    /**
     * The part to run when all are parked: lanes that the others of the warp, by ending, have left alone.
     *
     * @throws LaneFault when there is none, because lanes wait for one another at different places
     */
    private int complete(Warp warp) {
        Fragments fragments = warp.fragments;
        for (int part = 0; part < fragments.count(); part++) {
            int lanes = fragments.mask(part);
            Instruction at = code[fragments.at(part)];
            boolean needsAll = !(at.operation() instanceof Collective collective)
                    || collective.members(warp, Integer.numberOfTrailingZeros(lanes)) == warp.live();
            if (needsAll && lanes == warp.live()) {
                return part;
            }
        }
        instruction = fragments.at(0);
        int waiting = fragments.mask(0);
        int awaited = needed(warp, code[instruction], waiting) & ~waiting;
        throw new LaneFault(
                Integer.numberOfTrailingZeros(waiting),
                "divergent synchronization: lanes " + hex(waiting) + " wait here for lanes " + hex(awaited)
                        + ", which wait elsewhere");
    }

    /** A fault of a warp at the barrier where it waits. */
    PtxFault fault(Warp warp, String problem) {
        // What waits for other warps is all of the warp, right behind the barrier.
        instruction = warp.fragments.at(0) - 1;
        return describe(warp, LaneFault.NO_LANE, problem);
    }

    private PtxFault describe(Warp warp, int lane, String problem) {
        Instruction at = code[instruction];
        Block block = warp.block();
        return new PtxFault(
                kernel.module() + ":" + at.line() + ": " + kernel.name() + ", block (" + block.x() + ", " + block.y()
                        + ", " + block.z() + "), warp " + warp.index() + (lane < 0 ? "" : ", lane " + lane) + ": "
                        + problem + ", at '" + at.text() + "'",
                at.line());
    }

    private static String hex(int mask) {
        return String.format("0x%08x", mask);
    }
}
