package io.gpuquant.ptx;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which touches of memory are ordered before what a warp does now. Those of earlier launches are; those of other blocks of
 * the launch never are; those of the same block are when a barrier lies between that both sides took part in, a barrier of
 * the block for two warps, one of the warp for two of its lanes.
 *
 * <p>The orders are kept as vector clocks: for each other warp, and for each lane of the own one, the time up to which its
 * touches are ordered.
 */
final class Ordering {

    private final Timeline timeline;
    private final int warp;

    /** Touches of each other warp before these stamps are ordered before those of this one. */
    private final long[] warpsSeen;

    /** The same for the lanes of this warp, where no barrier of just some of them makes a difference. */
    private long lanesSeen;

    /** The same for each pair of lanes, {@code [later][earlier]}, where one does. */
    private long @Nullable [][] pairsSeen;

    private long launchStart;
    private long blockStart;
    private long firstStamp;

    /** Touches in this block before this stamp are ordered, whoever made them. */
    private long allSeen;

    Ordering(Timeline timeline, int warp, int warps) {
        this.timeline = timeline;
        this.warp = warp;
        warpsSeen = new long[warps];
    }

    /** Makes it that of a warp at the start of a block. */
    void begin(long blockTime) {
        launchStart = Timeline.stamp(timeline.launchStart(), 0);
        blockStart = Timeline.stamp(blockTime, 0);
        Arrays.fill(warpsSeen, blockStart);
        enter(blockTime);
    }

    /** The stamp of what a lane does now. */
    long stamp(int lane) {
        return firstStamp + lane;
    }

    /** Whether an earlier touch is ordered before what a lane does now. */
    boolean isOrdered(long stamp, int lane) {
        if (stamp < launchStart || stamp >= blockStart && stamp < allSeen) {
            return true;
        }
        return stamp >= blockStart && isSeen(stamp, lane);
    }

    private boolean isSeen(long stamp, int lane) {
        int thread = Timeline.threadOf(stamp);
        int other = thread / Operation.LANES;
        if (other != warp) {
            return stamp < warpsSeen[other];
        }
        int earlier = thread % Operation.LANES;
        return earlier == lane || stamp < (pairsSeen == null ? lanesSeen : pairsSeen[lane][earlier]);
    }

    /** Passes a barrier of some lanes of the warp. */
    void passWarpBarrier(int lanes, int live) {
        long time = timeline.advance();
        if (lanes == live) {
            enter(time);
            return;
        }
        long[][] pairs = pairsSeen == null ? everyPair() : pairsSeen;
        long now = Timeline.stamp(time, 0);
        long[] merged = new long[Operation.LANES];
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            maximize(merged, pairs[Integer.numberOfTrailingZeros(rest)]);
        }
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            merged[Integer.numberOfTrailingZeros(rest)] = now;
        }
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            System.arraycopy(merged, 0, pairs[Integer.numberOfTrailingZeros(rest)], 0, merged.length);
        }
        pairsSeen = pairs;
        firstStamp = Timeline.stamp(time, warp * Operation.LANES);
    }

    private long[][] everyPair() {
        long[][] pairs = new long[Operation.LANES][Operation.LANES];
        for (long[] row : pairs) {
            Arrays.fill(row, lanesSeen);
        }
        return pairs;
    }

    /** Passes a barrier of the block with all of these warps. */
    static void passBlockBarrier(Timeline timeline, Iterable<Ordering> together) {
        long time = timeline.advance();
        long[] merged = {};
        for (Ordering each : together) {
            merged = merged.length == 0 ? new long[each.warpsSeen.length] : merged;
            maximize(merged, each.warpsSeen);
        }
        for (Ordering each : together) {
            merged[each.warp] = Timeline.stamp(time, 0);
        }
        for (Ordering each : together) {
            System.arraycopy(merged, 0, each.warpsSeen, 0, merged.length);
            each.enter(time);
        }
    }

    /** Enters a stretch of time in which all that the warp did before is ordered for all its lanes. */
    private void enter(long time) {
        firstStamp = Timeline.stamp(time, warp * Operation.LANES);
        lanesSeen = Timeline.stamp(time, 0);
        pairsSeen = null;
        allSeen = lanesSeen;
        for (int other = 0; other < warpsSeen.length; other++) {
            if (other != warp) {
                allSeen = Math.min(allSeen, warpsSeen[other]);
            }
        }
    }

    private static void maximize(long[] values, long[] others) {
        for (int i = 0; i < values.length; i++) {
            values[i] = Math.max(values[i], others[i]);
        }
    }

    /** Whose touch it was, in words. */
    String describe(long stamp) {
        return timeline.describe(stamp);
    }
}
